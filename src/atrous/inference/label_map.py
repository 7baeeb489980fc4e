"""From low-resolution logits to the mask of the picture, without ever holding logits of the picture's size."""

import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atrous.inference.first_label_map import FirstLabelMap, Side
from atrous.labels import Mask
from atrous.threads import Threads, processors

if TYPE_CHECKING:  # it would import torch, which prediction from an exported file does without
    from atrous.networks.layers import ResizeMode

WORTH_A_THREAD = 2_000_000
"""Logits and pixels per thread, below which starting it costs more than it saves."""
WORTH_COMPILED_LOOPS = 10_000_000
"""Values that numpy blends, in all, in the time in which numba would be loaded."""


class _Blended:
    by_numpy = 0
    """How many values this process has had blended without numba."""


def label_map(
    logits: NDArray[np.float32],
    size: tuple[int, int],
    dtype: type[np.uint8] | type[np.uint16],
    resize: "ResizeMode" = "half_pixel",
    threads: int | None = None,
) -> Mask:
    """Resize logits bilinearly and take the class with the largest one.

    A bilinear value is a convex combination of the four logits around it. Where one class is the largest at all four,
    it is the largest in between, so only the cells between different labels are computed.

    Args:
        logits: float32 [K, h, w]; fastest where one of K and w is the last in memory.
        size: (height, width) of the mask.
        dtype: uint8 or uint16, as the label space says.
        resize: Where the pixels of both lie on each other.
        threads: How many compute; by default as many as there are processors, if the work is worth it.

    Returns:
        The mask [H, W]; equal to `resize_bilinear(logits[None], size, resize)[0].argmax(0)` of torch on a CPU apart
        from exact ties, and to its last bit where torch computes with fused multiplication and addition.
    """
    planes, pixels = _in_memory(np.asarray(logits, np.float32))
    rows, columns = (neighbours(length, count, resize) for length, count in zip(size, pixels.shape[:2], strict=True))
    if "numba" not in sys.modules:
        first = FirstLabelMap(pixels, rows, columns, dtype)
        _Blended.by_numpy += first.work
        if _Blended.by_numpy <= WORTH_COMPILED_LOOPS:
            return first.filled()
    return _compiled(planes, pixels, rows, columns, size, dtype, threads)


def _compiled(
    planes: NDArray[np.float32],
    pixels: NDArray[np.float32],
    rows: Side,
    columns: Side,
    size: tuple[int, int],
    dtype: type[np.uint8] | type[np.uint16],
    threads: int | None,
) -> Mask:
    from atrous.inference.cells import fill_cells, labels_of_pixels, labels_of_planes

    height, width = pixels.shape[:2]
    labels = np.empty((height, width), np.int32)
    mask: Mask = np.empty(size, dtype)
    with Threads(threads or _useful_threads(pixels.size + mask.size)) as pool:
        if pixels.flags.c_contiguous:
            whole = pixels.view(np.int32)
            pool.spread(lambda start, stop: labels_of_pixels(pixels, whole, labels, start, stop), height)
        else:
            whole = planes.view(np.int32)
            pool.spread(lambda start, stop: labels_of_planes(planes, whole, labels, start, stop), height)
        pool.spread(lambda start, stop: fill_cells(pixels, labels, *rows, *columns, mask, start, stop), height)
    return mask


def _in_memory(logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The logits as [K, h, w] and as [h, w, K], of which one is contiguous."""
    pixels = logits.transpose(1, 2, 0)
    if not (pixels.flags.c_contiguous or logits.flags.c_contiguous):
        pixels = np.ascontiguousarray(pixels)
    return pixels.transpose(2, 0, 1), pixels


def _useful_threads(work: int) -> int:
    return max(1, min(processors(), work // WORTH_A_THREAD))


def neighbours(length: int, count: int, resize: "ResizeMode") -> Side:
    """Where `length` pixels lie between `count` logits."""
    pixels = np.arange(length, dtype=np.float32)
    match resize:
        case "half_pixel":
            # In float64, so that it is rounded once, as by torch's fused multiplication and subtraction.
            scaled = (pixels + 0.5).astype(np.float64) * np.float32(count / length) - 0.5
            position = np.maximum(scaled, 0).astype(np.float32)
        case "align_corners":
            position = pixels * np.float32((count - 1) / max(length - 1, 1))
        case "asymmetric":
            position = pixels * np.float32(count / length)
    first = np.minimum(position.astype(np.int64), count - 1)
    weight = np.clip(position - first.astype(np.float32), 0, 1).astype(np.float32)
    return Side(np.searchsorted(first, np.arange(count + 1)), weight)
