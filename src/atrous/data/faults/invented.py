"""Values that nobody drew: what resizing with interpolation, or a lossy format, puts between two classes."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.labels import Mask

INVENTED_SHARE = 0.08
"""Of the pixels at edges. Measured on CamVid and VOC: at most 0.044 in their masks and in those resized to the nearest
pixel, at least 0.124 after any interpolation (0.5 to 3 times the size) and after JPEG of quality 95."""

FEWEST = 10  # pixels; below that a share means nothing


class Invented(NamedTuple):
    """Invented pixels of a mask."""

    pixels: int
    pixel: tuple[int, int]
    """(x, y) of the first."""
    value: int


def find_invented(mask: Mask) -> Invented | None:
    """Return what is invented in a mask [H, W], if its edges say that anything is."""
    places = _lies_between(mask)
    count = int(places.sum())
    if count < FEWEST or count < INVENTED_SHARE * int(_edges(mask).sum()):
        return None
    y, x = np.unravel_index(int(places.argmax()), places.shape)
    return Invented(count, (int(x), int(y)), int(mask[y, x]))


def nearest_drawn(mask: Mask, known: NDArray[np.bool_]) -> Mask:
    """Replace each invented pixel by the nearest one that was drawn.

    Args:
        mask: uint8 or uint16 [H, W].
        known: bool [256 or 65536]: which values are a class or mean ignore; pixels of others are replaced, too.

    Returns:
        Another mask; all of it is the last known value, for ignore, if no pixel was drawn.
    """
    invented = _lies_between(mask) | ~known[mask]
    if invented.all():
        return np.full_like(mask, int(np.flatnonzero(known)[-1]))
    _, owners = cv2.distanceTransformWithLabels(
        invented.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values: NDArray[np.uint8 | np.uint16] = np.zeros(int(owners.max()) + 1, mask.dtype)
    values[owners[~invented]] = mask[~invented]
    drawn: Mask = values[owners]
    return drawn


def _lies_between(mask: Mask) -> NDArray[np.bool_]:
    """Pixels of no solid area whose value lies strictly between those around them."""
    low, high = (change(mask, np.ones((5, 5), np.uint8)) for change in (cv2.erode, cv2.dilate))
    between: NDArray[np.bool_] = ~_solid(mask) & (low < mask) & (mask < high)
    return between


def _solid(mask: Mask) -> NDArray[np.bool_]:
    """Pixels of some square of 2x2 that has one value."""
    square = np.ones((2, 2), np.uint8)
    uniform = (cv2.erode(mask, square) == cv2.dilate(mask, square)).astype(np.uint8)
    spread: NDArray[np.bool_] = cv2.dilate(uniform, square, anchor=(0, 0)) > 0
    return spread


def _edges(mask: Mask) -> NDArray[np.bool_]:
    around = np.ones((3, 3), np.uint8)
    edges: NDArray[np.bool_] = cv2.erode(mask, around) != cv2.dilate(mask, around)
    return edges
