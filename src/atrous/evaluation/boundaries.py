"""How far each pixel lies from the edges of a mask.

A pixel lies at an edge where a neighbour has another label. The ignore value counts as a label of its own: VOC's masks
hardly know another edge, as a band of it runs around every object.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.labels import Mask

DIAGONAL_SHARE = 0.02
"""Width of the band of boundary IoU, as a share of the picture's diagonal (Cheng et al. 2021, section 4)."""
SQUARE = np.ones((3, 3), np.uint8)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def band_width(size: tuple[int, int]) -> int:
    """Pixels from the boundary that boundary IoU looks at, in a picture of this (height, width); at least 1."""
    return max(1, round(DIAGONAL_SHARE * float(np.hypot(*size))))


def boundary_band(mask: Mask, width: int) -> NDArray[np.bool_]:
    """Where a class's pixels lie within `width` of their own boundary, for all classes at once.

    These are the pixels that `width` erosions by a 3x3 square would take from the mask of their class. The edge of the
    picture is a boundary, too, as in the program of Cheng et al. 2021 (arXiv:2103.16562).

    Returns:
        bool [H, W].
    """
    inside = _without_edges(mask, SQUARE)
    inside[[0, -1], :] = inside[:, [0, -1]] = 0
    near: NDArray[np.bool_] = cv2.distanceTransform(inside, cv2.DIST_C, 3) < width
    return near


def boundary_distance(mask: Mask) -> NDArray[np.float32]:
    """Pixels to the nearest edge between two labels: 1 at an edge itself, on both of its sides; infinity without one.

    Returns:
        float32 [H, W]: 1 plus the Euclidean distance to the nearest pixel with another label above, below, left or
        right of it. The edge of the picture is none.
    """
    inside = _without_edges(mask, CROSS)
    if inside.all():
        return np.full(mask.shape, np.inf, np.float32)
    distance: NDArray[np.float32] = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance += 1
    return distance


def _without_edges(mask: Mask, neighbours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W]: 1 where all neighbours have the pixel's own label, 0 at an edge."""
    same: NDArray[np.bool_] = cv2.dilate(mask, neighbours) == cv2.erode(mask, neighbours)
    return same.view(np.uint8)
