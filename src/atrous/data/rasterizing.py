"""Polygons become pixels: a pixel belongs to a polygon when its centre lies inside, by the even-odd rule."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""float64 [N, 2]: the corners (x, y) of a closed line, in pixels; the first pixel reaches from 0 to 1, its centre is
at 0.5. The last corner is joined with the first."""

Polygon = Sequence[Ring]
"""An outer ring and the rings of its holes."""

FARTHEST = 1e7
"""Pixels from the picture's corner up to which a corner is drawn exactly; what is farther is drawn from there."""

MOST_CROSSINGS = 2**24
"""Crossings of edges and rows that are kept at a time, so that corners without number fit into memory."""


class Bitmap(NamedTuple):
    """The pixels of a rectangle of a picture."""

    bits: NDArray[np.bool_]
    """bool [h, w]"""
    top: int
    left: int

    def within(self, size: tuple[int, int]) -> "Bitmap":
        """The part that lies in a picture of (height, width)."""
        height, width = size
        top, left = max(0, -self.top), max(0, -self.left)
        bits = self.bits[top : max(top, height - self.top), left : max(left, width - self.left)]
        return Bitmap(bits, self.top + top, self.left + left)


def fill(polygons: Sequence[Polygon], size: tuple[int, int]) -> Bitmap:
    """Draw the union of polygons.

    Args:
        polygons: The polygons; rings of fewer than three corners have no inside.
        size: (height, width) of the picture; what lies outside of it is cut off.

    Returns:
        The pixels whose centres lie inside of at least one polygon, in the smallest rectangle that the corners span.
    """
    corners = [ring for polygon in polygons for ring in polygon if len(ring)]
    if not corners:
        return Bitmap(np.zeros((0, 0), np.bool_), 0, 0)
    everything = np.clip(np.concatenate(corners), -FARTHEST, FARTHEST)
    low = np.floor(everything.min(axis=0)).astype(np.int64).clip(0, (size[1], size[0]))
    high = np.ceil(everything.max(axis=0)).astype(np.int64).clip(low, (size[1], size[0]))
    left, top = int(low[0]), int(low[1])
    bits = np.zeros((int(high[1]) - top, int(high[0]) - left), np.bool_)
    for polygon in polygons:
        uppers, lowers = _edges(polygon)
        rows = max(1, MOST_CROSSINGS // max(1, len(uppers)))
        for start in range(0, len(bits), rows):
            _fill(uppers, lowers, top + start, left, bits[start : start + rows])
    return Bitmap(bits, top, left)


def _edges(polygon: Polygon) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The upper and the lower ends of the edges of all rings, float64 [E, 2] each."""
    rings = [np.clip(ring, -FARTHEST, FARTHEST) for ring in polygon if len(ring)]
    if not rings:
        return np.zeros((0, 2)), np.zeros((0, 2))
    starts, ends = np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    falls = (starts[:, 1] <= ends[:, 1])[:, None]
    return np.where(falls, starts, ends), np.where(falls, ends, starts)


@njit(cache=True, nogil=True)
def _fill(uppers, lowers, top, left, bits):  # type: ignore[no-untyped-def]  # numba
    """Set the pixels of each row between the first and the second crossing of its middle, the third and the fourth ...

    An edge owns its upper end and not its lower one, so that each corner is crossed as often as it should be. A centre
    that lies on an edge belongs to what is right of it or below. Edges are followed downwards and in the coordinates of
    the picture, whatever polygon they are of: polygons that share an edge share no pixel and leave none out.
    """
    height, width = bits.shape
    counts = np.zeros(height + 1, np.int64)
    spans = np.empty((len(uppers), 2), np.int64)
    for edge in range(len(uppers)):
        spans[edge, 0] = min(max(np.ceil(uppers[edge, 1] - 0.5) - top, 0), height)
        spans[edge, 1] = min(max(np.ceil(lowers[edge, 1] - 0.5) - top, 0), height)
        for row in range(spans[edge, 0], spans[edge, 1]):
            counts[row + 1] += 1
    places = np.cumsum(counts)
    crossings = np.empty(places[-1])
    filled = places.copy()
    for edge in range(len(uppers)):
        x, y = uppers[edge]
        slope = (lowers[edge, 0] - x) / (lowers[edge, 1] - y) if lowers[edge, 1] != y else 0.0
        for row in range(spans[edge, 0], spans[edge, 1]):
            crossings[filled[row]] = x + (row + top + 0.5 - y) * slope
            filled[row] += 1
    for row in range(height):
        ordered = np.sort(crossings[places[row] : places[row + 1]])
        for pair in range(0, len(ordered) - 1, 2):
            first = min(max(np.ceil(ordered[pair] - 0.5) - left, 0), width)
            last = min(max(np.ceil(ordered[pair + 1] - 0.5) - left, 0), width)
            for column in range(int(first), int(last)):
                bits[row, column] = True
