"""Masks become polygons: the outlines of connected areas with their holes, along the edges of pixels, simplified."""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit

from atrous.data.rasterizing import Ring
from atrous.labels import LabelSpace, Mask

DEFAULT_TOLERANCE = 0.5
"""Pixels. Measured on 40 masks each, drawn again: the worst class of CamVid has an IoU of 0.986, of VOC 0.997; twice
the tolerance takes a fifth of the area of CamVid's poles."""

SMALLEST_SIMPLIFIED = 16
"""Pixels within a ring from which on it is simplified; smaller ones keep every corner."""


MOST_DISTANCES = 10**7
"""Pairs of corners up to which the nearest is looked for; a longer cut is as good."""


class LabelledPolygon(NamedTuple):
    """One connected area of a class."""

    label: int
    """The class index."""
    outline: Ring
    """float64 [N, 2]: the corners (x, y) of the outer ring, clockwise as it is seen; the first is not repeated."""
    holes: tuple[Ring, ...]
    """The rings of its holes, the other way round."""

    @property
    def area(self) -> float:
        """In pixels."""
        return sum(ring_area(ring) for ring in (self.outline, *self.holes))


def polygons_of(mask: Mask, labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE) -> list[LabelledPolygon]:
    """Find the outlines of all connected areas of a mask.

    Pixels of one class are connected by their sides, not by their corners. With a tolerance of 0 the polygons, drawn by
    `rasterizing.fill`, give the mask back exactly.

    Args:
        mask: Class indices; pixels of the ignore value and of no class have no polygon.
        labels: The classes.
        tolerance: How far, in pixels, a simplified outline may leave the middles of the pixels' sides (Douglas and
            Peucker 1973).

    Returns:
        The polygons, in the order of their uppermost, leftmost pixel.
    """
    padded = np.pad(mask.astype(np.int64), 1, constant_values=-1)
    corners, ends, owners = _trace(padded, _components(padded))
    outlines: dict[int, tuple[int, Ring]] = {}
    holes: dict[int, list[Ring]] = {}
    for ring, owner in zip(np.split(corners, ends[:-1]), owners.tolist(), strict=False):
        label = int(padded.flat[owner])
        if ring_area(ring) < 0:
            holes.setdefault(owner, []).append(simplified(ring, tolerance))
        elif label < labels.num_classes:
            outlines[owner] = (label, simplified(ring, tolerance))
    return [
        LabelledPolygon(label, outline, tuple(holes.get(owner, ()))) for owner, (label, outline) in outlines.items()
    ]


def keyhole(polygon: LabelledPolygon) -> Ring:
    """One ring with the area of a polygon with holes, for formats without them.

    To each hole a cut leads from the nearest corner before it, there and back: it has no width, and no area is lost.
    """
    ring = polygon.outline
    for hole in polygon.holes:
        distances = (
            np.square(ring[:, None] - hole[None]).sum(axis=2) if len(ring) * len(hole) < MOST_DISTANCES else None
        )
        near, far = (0, 0) if distances is None else np.unravel_index(distances.argmin(), distances.shape)
        around = np.concatenate((hole[far:], hole[: far + 1]))
        ring = np.concatenate((ring[: near + 1], around, ring[near:]))
    return ring


def ring_area(ring: Ring) -> float:
    """The area within a ring in pixels; negative if it runs counter-clockwise as it is seen."""
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def simplified(ring: Ring, tolerance: float) -> Ring:
    """Leave out corners, as long as no side of a pixel has its middle farther than the tolerance from what remains.

    The middles lie on a straight line where an edge is slanted, which makes stairs of the corners.
    """
    if tolerance <= 0:
        return ring
    middles = _middles(ring)
    if abs(ring_area(ring)) < SMALLEST_SIMPLIFIED:
        return middles
    fewer = cv2.approxPolyDP(middles.astype(np.float32), tolerance, True).reshape(-1, 2).astype(np.float64)
    return fewer if len(fewer) >= 3 and ring_area(fewer) * ring_area(ring) > 0 else middles


def _middles(ring: Ring) -> Ring:
    """The middles of the first and the last side of a pixel along each straight piece of an outline."""
    ahead = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(ahead).sum(axis=1)
    half = ahead / lengths[:, None] / 2
    both = np.stack((ring + half, ring + ahead - half), axis=1).reshape(-1, 2)
    different = np.stack((np.ones(len(ring), np.bool_), lengths > 1), axis=1).ravel()
    middles: Ring = both[different]
    return middles


@njit(cache=True, nogil=True)
def _components(mask):  # type: ignore[no-untyped-def]  # numba
    """Number the areas of equal, side-connected pixels, int64 [H, W]; each by its first pixel."""
    height, width = mask.shape
    parents = np.arange(height * width)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((1, 0), (0, 1)):
                if y + dy < height and x + dx < width and mask[y + dy, x + dx] == mask[y, x]:
                    one, other = _root(parents, y * width + x), _root(parents, (y + dy) * width + x + dx)
                    parents[max(one, other)] = min(one, other)
    for pixel in range(height * width):
        parents[pixel] = _root(parents, pixel)
    return parents.reshape(height, width)


@njit(cache=True, nogil=True)
def _root(parents, pixel):  # type: ignore[no-untyped-def]  # numba
    while parents[pixel] != pixel:
        parents[pixel] = parents[parents[pixel]]
        pixel = parents[pixel]
    return pixel


@njit(cache=True, nogil=True)
def _trace(mask, components):  # type: ignore[no-untyped-def]  # numba
    """Walk around every area and every hole in it, with the area on the right hand.

    Where two pixels of an area touch at a corner only, the walk turns right: it stays with the pixel that it is at.

    Args:
        mask: int64 [H + 2, W + 2], with a frame of -1.
        components: The number of each pixel's area.

    Returns:
        float64 [N, 2], the corners of all rings, of the mask without its frame; int64 [R], where each ring ends; int64
        [R], the number of its area.
    """
    height, width = mask.shape
    seen = np.zeros((height, width), np.bool_)  # whether the upper side of a pixel was walked along
    corners, ends, owners = np.empty((1024, 2)), np.empty(64, np.int64), np.empty(64, np.int64)
    count = rings = 0
    for top in range(1, height - 1):
        for left in range(1, width - 1):
            label = mask[top, left]
            if seen[top, left] or mask[top - 1, left] == label:
                continue
            y, x, dy, dx = top, left, 0, 1  # at the pixel's upper left corner, going right
            while True:
                if dx == 1:
                    if seen[y, x]:
                        break
                    seen[y, x] = True
                y, x = y + dy, x + dx
                # The pixels ahead, seen from the corner at (y, x): the one on the right hand and the one on the left.
                right = mask[y + (dy - 1 + dx) // 2, x + (dx - 1 - dy) // 2]
                ahead_left = mask[y + (dy - 1 - dx) // 2, x + (dx - 1 + dy) // 2]
                if right == label and ahead_left != label:
                    continue
                if count == len(corners):
                    corners = np.concatenate((corners, np.empty_like(corners)))
                corners[count] = x - 1, y - 1
                count += 1
                dy, dx = (-dx, dy) if right == label else (dx, -dy)
            if rings == len(ends):
                ends, owners = np.concatenate((ends, ends)), np.concatenate((owners, owners))
            ends[rings], owners[rings] = count, components[top, left]
            rings += 1
    return corners[:count], ends[:rings], owners[:rings]
