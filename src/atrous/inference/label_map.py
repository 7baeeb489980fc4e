"""From low-resolution logits to the mask of the picture, without ever holding logits of the picture's size."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.labels import Mask
from atrous.networks.layers import ResizeMode


def label_map(
    logits: NDArray[np.float32],
    size: tuple[int, int],
    dtype: type[np.uint8] | type[np.uint16],
    resize: ResizeMode = "half_pixel",
) -> Mask:
    """Resize logits bilinearly and take the class with the largest one.

    A bilinear value is a convex combination of the four logits around it. Where one class is the largest at all four,
    it is the largest in between, so only the cells between different labels are computed.

    Args:
        logits: float32 [K, h, w].
        size: (height, width) of the mask.
        dtype: uint8 or uint16, as the label space says.
        resize: Where the pixels of both lie on each other.

    Returns:
        The mask [H, W]; equal to `resize_bilinear(logits, size, resize).argmax(0)` up to ties in the last bit.
    """
    last = np.ascontiguousarray(np.transpose(logits, (1, 2, 0)), np.float32)
    mask: Mask = np.empty(size, dtype)
    rows, columns = (_neighbours(length, count, resize) for length, count in zip(size, last.shape[:2], strict=True))
    _fill(last, np.argmax(last, axis=2), *rows, *columns, mask)
    return mask


def _neighbours(
    length: int, count: int, resize: ResizeMode
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each of `length` pixels: the two of `count` logits around it, and the weight of the second."""
    pixels = np.arange(length, dtype=np.float32)
    match resize:
        case "half_pixel":
            position = np.maximum((pixels + np.float32(0.5)) * np.float32(count / length) - np.float32(0.5), 0)
        case "align_corners":
            position = pixels * np.float32((count - 1) / max(length - 1, 1))
        case "asymmetric":
            position = pixels * np.float32(count / length)
    first = np.minimum(position.astype(np.int64), count - 1)
    return first, np.minimum(first + 1, count - 1), (position - first).astype(np.float32)


@njit(cache=True, nogil=True)
def _fill(logits, labels, top, bottom, down, left, right, across, mask):  # type: ignore[no-untyped-def]  # numba
    for y in range(mask.shape[0]):
        upper, lower, v = top[y], bottom[y], down[y]
        for x in range(mask.shape[1]):
            near, far, u = left[x], right[x], across[x]
            label = labels[upper, near]
            if label != labels[upper, far] or label != labels[lower, near] or label != labels[lower, far]:
                label = _largest(logits[upper, near], logits[upper, far], logits[lower, near], logits[lower, far], u, v)
            mask[y, x] = label


@njit(cache=True, nogil=True, inline="always")
def _largest(upper_near, upper_far, lower_near, lower_far, u, v):  # type: ignore[no-untyped-def]  # numba
    best, best_value = 0, -np.inf
    one = np.float32(1)
    for k in range(upper_near.shape[0]):
        above = (one - u) * upper_near[k] + u * upper_far[k]
        below = (one - u) * lower_near[k] + u * lower_far[k]
        value = (one - v) * above + v * below
        if value > best_value:
            best, best_value = k, value
    return best
