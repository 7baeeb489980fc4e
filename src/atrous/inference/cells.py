"""Compiled loops over the cells between four neighbouring logits.

Values are computed as torch computes them for logits [1, K, h, w] on a CPU: along the row first, and one rounding for a
product and its addition where the processor has such an instruction (`contract`). So even near ties fall alike.
"""

import numpy as np
from numba import njit

UNSURE = -1
"""The label of a place where a logit is not finite: it says nothing of the places between."""

_MAGNITUDE, _INFINITY = np.int32(0x7FFFFFFF), np.int32(0x7F800000)


@njit(cache=True, nogil=True, inline="always")
def first_largest(values, bits):  # type: ignore[no-untyped-def]  # numba
    """The first index of the largest of float32 [K], a NaN being larger than all; and whether all are finite.

    The largest is sought among the bits, read as integers of the same order: that search the compiler vectorizes.
    """
    largest, magnitude = np.int32(-0x80000000), np.int32(0)
    for k in range(bits.size):
        largest = max(largest, bits[k] ^ ((bits[k] >> np.int32(31)) & _MAGNITUDE))
        magnitude = max(magnitude, bits[k] & _MAGNITUDE)
    if magnitude > _INFINITY:
        return np.int32(np.argmax(values)), False
    best = np.int32(largest ^ ((largest >> np.int32(31)) & _MAGNITUDE)).view(np.float32)
    first = np.int32(bits.size)
    for k in range(bits.size):
        first = min(first, np.int32(k) if values[k] == best else np.int32(bits.size))
    return first, magnitude < _INFINITY


@njit(cache=True, nogil=True)
def labels_of_pixels(logits, bits, labels, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Label rows start..stop of logits [h, w, K], a pixel's classes side by side in memory."""
    for y in range(start, stop):
        for x in range(labels.shape[1]):
            label, finite = first_largest(logits[y, x], bits[y, x])
            labels[y, x] = label if finite else UNSURE


@njit(cache=True, nogil=True)
def labels_of_planes(logits, bits, labels, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Label rows start..stop of logits [K, h, w], a class's pixels side by side in memory."""
    best = np.empty(labels.shape[1], np.float32)
    magnitude = np.empty(labels.shape[1], np.int32)
    for y in range(start, stop):
        row = labels[y]
        row[:], best[:], magnitude[:] = 0, logits[0, y], bits[0, y] & _MAGNITUDE
        for k in range(1, logits.shape[0]):
            values, whole = logits[k, y], bits[k, y]
            for x in range(row.size):
                larger = values[x] > best[x]
                best[x] = values[x] if larger else best[x]
                row[x] = np.int32(k) if larger else row[x]
                magnitude[x] = max(magnitude[x], whole[x] & _MAGNITUDE)
        for x in range(row.size):
            row[x] = row[x] if magnitude[x] < _INFINITY else np.int32(UNSURE)


@njit(cache=True, nogil=True)
def fill_cells(logits, labels, rows, down, columns, across, mask, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Fill the pixels whose upper neighbour lies in rows start..stop of logits [h, w, K], in any order in memory.

    Pixels rows[i]..rows[i + 1] lie below row i of the logits, at weight `down` of the next one; columns likewise.
    """
    height, width, num_classes = logits.shape
    upper, lower = np.empty((width, num_classes), np.float32), np.empty((width, num_classes), np.float32)
    of_upper, of_lower = np.full(width, -1), np.full(width, -1)  # which row a column was copied from
    lanes = np.empty((3, num_classes), np.float32)
    for i in range(start, stop):
        below = min(i + 1, height - 1)
        for j in range(width):
            right = min(j + 1, width - 1)
            label = labels[i, j]
            if (
                label != UNSURE
                and label == labels[i, right]
                and label == labels[below, j]
                and label == labels[below, right]
            ):
                mask[rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = label
                continue
            for x in (j, right):
                _copy(logits, i, x, upper, of_upper)
                _copy(logits, below, x, lower, of_lower)
            for x in range(columns[j], columns[j + 1]):
                _blend(upper[j], upper[right], across[x], lanes[0])
                _blend(lower[j], lower[right], across[x], lanes[1])
                for y in range(rows[i], rows[i + 1]):
                    _blend(lanes[0], lanes[1], down[y], lanes[2])
                    mask[y, x] = first_largest(lanes[2], lanes[2].view(np.int32))[0]
        upper, lower, of_upper, of_lower = lower, upper, of_lower, of_upper


@njit(cache=True, nogil=True, inline="always")
def _copy(logits, y, x, row, copied_from):  # type: ignore[no-untyped-def]  # numba
    if copied_from[x] != y:
        copied_from[x] = y
        for k in range(logits.shape[2]):
            row[x, k] = logits[y, x, k]


@njit(cache=True, nogil=True, fastmath={"contract"}, inline="always")
def _blend(one, other, weight, blended):  # type: ignore[no-untyped-def]  # numba
    rest = np.float32(1) - weight
    for k in range(blended.size):
        blended[k] = rest * one[k] + weight * other[k]
