"""Connected areas of a mask, and how large each is: objects by size, where masks know no objects."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.labels import Mask

SIZE_LIMITS = (32**2, 96**2)
"""Pixels at which an area is no longer small, and is large: COCO's sizes (Lin et al. 2014, arXiv:1405.0312)."""
SIZE_NAMES = ("small", "medium", "large")


def size_of_area(mask: Mask) -> NDArray[np.uint8]:
    """For each pixel, whether the connected area of one label that it lies in is small, medium or large.

    Pixels that touch in a corner are connected.

    Returns:
        uint8 [H, W]: an index of `SIZE_NAMES`.
    """
    sizes = np.empty(mask.shape, np.uint8)
    pixels = np.ascontiguousarray(mask)
    _fill(pixels, _number_of_runs(pixels), *SIZE_LIMITS, sizes)
    return sizes


@njit(cache=True, nogil=True)
def _number_of_runs(mask):  # type: ignore[no-untyped-def]  # numba
    height, width = mask.shape
    count = height
    for y in range(height):
        for x in range(1, width):
            count += mask[y, x] != mask[y, x - 1]
    return count


@njit(cache=True, nogil=True)
def _fill(mask, count, medium, large, sizes):  # type: ignore[no-untyped-def]  # numba
    """Join runs of one label that touch runs of the row above, add up their pixels, and write the sizes."""
    height, width = mask.shape
    starts, stops = np.empty(count, np.int32), np.empty(count, np.int32)
    parents, pixels = np.arange(count), np.zeros(count, np.int64)
    first_above = above_end = run = 0
    for y in range(height):
        first_of_row = run
        x = 0
        while x < width:
            start, label = x, mask[y, x]
            while x < width and mask[y, x] == label:
                x += 1
            starts[run], stops[run] = start, x
            while first_above < above_end and stops[first_above] < start:
                first_above += 1
            other = first_above
            while other < above_end and starts[other] <= x:
                if mask[y - 1, starts[other]] == label:
                    _join(parents, other, run)
                other += 1
            run += 1
        first_above, above_end = first_of_row, run
    for each in range(count):
        pixels[_root(parents, each)] += stops[each] - starts[each]
    run = 0
    for y in range(height):
        x = 0
        while x < width:
            area = pixels[_root(parents, run)]
            sizes[y, x : stops[run]] = np.uint8(area >= medium) + np.uint8(area >= large)
            x = stops[run]
            run += 1


@njit(cache=True, nogil=True, inline="always")
def _root(parents, run):  # type: ignore[no-untyped-def]  # numba
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


@njit(cache=True, nogil=True, inline="always")
def _join(parents, one, other):  # type: ignore[no-untyped-def]  # numba
    first, second = _root(parents, one), _root(parents, other)
    parents[max(first, second)] = min(first, second)
