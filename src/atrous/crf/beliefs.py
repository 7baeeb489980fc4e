"""Labels as blocks of rows, and a pixel's step from what its neighbours say to what it believes.

Labels that are equally probable in every pixel stay so, whatever is inferred; they share one column, which counts as
often as there are labels in it. Pixels stand in z-order, so that those near in the picture are near in memory.
"""

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.crf.filtering import slice_rows
from atrous.crf.lanes import WIDTHS, add, exp_minus, largest, load, multiply, multiply_add, store, total, zero
from atrous.crf.permutohedral import Floats, Ints
from atrous.threads import Threads

LEAST_PROBABILITY = np.float32(1e-5)
"""What the logarithm takes for 0; the reference implementation's."""

IMPOSSIBLE = np.float32(-1e9)
"""The evidence of columns that are no label."""

POINTS_AT_A_TIME = 256
"""So few that their rows stay near the processor from one pass to the next."""


class Columns(NamedTuple):
    """Which labels stand where: column `block * width + place`."""

    of_label: Ints
    """uint32 [K]: the column of each label."""
    labels: Ints
    """uint32 [C]: the first label of each column."""
    counts: Floats
    """float32 [B, W]: how many labels each column stands for; 0 where it is none."""


def penalties_of(compatibility: tuple[tuple[float, ...], ...], columns: Columns) -> Floats:
    """A compatibility matrix as rows, float32 [B, B * W, W]: of each block, what each column costs its labels."""
    blocks, width = columns.counts.shape
    square = np.zeros((blocks * width, blocks * width), np.float32)
    matrix = np.array(compatibility, np.float32)
    square[: len(matrix), : len(matrix)] = (matrix + matrix.T) / 2
    return np.ascontiguousarray(square.reshape(-1, blocks, width).transpose(1, 0, 2))


def columns_of(probabilities: Floats, *, shared: bool) -> Columns:
    """Give each label of [K, N] a column; if they are `shared`, labels that are alike everywhere get the same."""
    firsts = _alike(probabilities) if shared else np.arange(len(probabilities))
    labels, of_label, counts = np.unique(firsts, return_inverse=True, return_counts=True)
    blocks = -(-len(labels) // WIDTHS[-1])
    width = next(width for width in WIDTHS if blocks * width >= len(labels))
    padded = np.zeros(blocks * width, np.float32)
    padded[: len(labels)] = counts
    return Columns(of_label.astype(np.uint32), labels.astype(np.uint32), padded.reshape(blocks, width))


def _alike(probabilities: Floats) -> NDArray[np.int64]:
    """For each label the first one that is equally probable everywhere, as the logarithm sees it."""
    known: dict[bytes, int] = {}
    firsts = np.arange(len(probabilities))
    sample = np.maximum(probabilities[:, :: max(1, probabilities.shape[1] // 1024)], LEAST_PROBABILITY)
    for label, plane in enumerate(probabilities):
        first = known.setdefault(sample[label].tobytes(), label)
        if first != label and _equal(plane, probabilities[first]):
            firsts[label] = first
    return firsts


@njit(cache=True, nogil=True)
def _equal(plane, other):  # type: ignore[no-untyped-def]  # numba
    for pixel in range(len(plane)):
        if max(plane[pixel], LEAST_PROBABILITY) != max(other[pixel], LEAST_PROBABILITY):
            return False
    return True


@lru_cache(maxsize=4)
def z_order(height: int, width: int) -> Ints:
    """uint32 [H * W]: the pixels of a picture, quarter by quarter and so on, as a curve that stays in one region."""
    y, x = np.mgrid[:height, :width].astype(np.uint64)
    place = np.zeros((height, width), np.uint64)
    for bit in range(max(height, width).bit_length()):
        one, at = np.uint64(1), np.uint64(bit)
        place |= (x >> at & one) << (at + at) | (y >> at & one) << (at + at + one)
    return np.argsort(place, axis=None).astype(np.uint32)


def evidence_of(probabilities: Floats, columns: Columns, order: Ints, threads: Threads) -> Floats:
    """The logarithms of [K, N] as rows, float32 [B, N, W]."""
    blocks, width = columns.counts.shape
    evidence: Floats = np.full((blocks, len(order), width), IMPOSSIBLE, np.float32)
    for block, rows in enumerate(evidence):
        labels = columns.labels[block * width : (block + 1) * width]
        planes = np.stack(threads.map(_logarithms, [probabilities[label] for label in labels]))
        threads.spread(partial(_to_rows, planes, order, rows), len(order))
    return evidence


def _logarithms(plane: Floats) -> Floats:
    clipped = np.maximum(plane, LEAST_PROBABILITY)
    return np.log(clipped, out=clipped)


def planes_of(rows: Floats, columns: Columns, order: Ints, threads: Threads) -> Floats:
    """Rows [B, N, W] as the labels' planes, float32 [K, N]."""
    planes: Floats = np.empty((len(columns.of_label), len(order)), np.float32)
    threads.spread(partial(_to_planes, rows, columns.of_label, order, planes), len(order))
    return planes


@njit(cache=True, nogil=True)
def _to_rows(planes, order, rows, start, stop):  # type: ignore[no-untyped-def]  # numba
    for point in range(start, stop):
        for place in range(planes.shape[0]):
            rows[point, place] = planes[place, order[point]]


@njit(cache=True, nogil=True)
def _to_planes(rows, of_label, order, planes, start, stop):  # type: ignore[no-untyped-def]  # numba
    width = rows.shape[2]
    for begin in range(start, stop, POINTS_AT_A_TIME):
        for label in range(len(of_label)):
            block, place = of_label[label] // width, of_label[label] % width
            for point in range(begin, min(begin + POINTS_AT_A_TIME, stop)):
                planes[label, order[point]] = rows[block, point, place]


@njit(cache=True, nogil=True)
def believe(lanes, evidence, counts, beliefs, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Replace the messages in `beliefs`, [B, N, W], by softmax(evidence + messages), `counts` labels to a column."""
    blocks = len(beliefs)
    for point in range(start, stop):
        highest = np.float32(IMPOSSIBLE)
        for block in range(blocks):
            row = add(load(lanes, evidence[block], point), load(lanes, beliefs[block], point))
            store(beliefs[block], point, row)
            highest = max(highest, largest(row))
        sums = zero(lanes)
        for block in range(blocks):
            row = exp_minus(load(lanes, beliefs[block], point), highest)
            store(beliefs[block], point, row)
            sums = multiply_add(row, load(lanes, counts, block), sums)
        scale = np.float32(1) / total(sums)
        for block in range(blocks):
            store(beliefs[block], point, multiply(load(lanes, beliefs[block], point), scale))


@njit(cache=True, nogil=True)
def penalize(lanes, penalties, beliefs, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Replace the messages in `beliefs`, [B, N, W], by minus what they cost each label; penalties: [B, B * W, W]."""
    blocks, _, width = beliefs.shape
    heard = np.empty(blocks * width, np.float32)
    for point in range(start, stop):
        for block in range(blocks):
            heard[block * width : (block + 1) * width] = beliefs[block, point]
        for block in range(blocks):
            row = zero(lanes)
            for column in range(len(heard)):
                row = multiply_add(load(lanes, penalties[block], column), -heard[column], row)
            store(beliefs[block], point, row)


@njit(cache=True, nogil=True)
def slice_and_believe(lanes, slices, evidence, counts, beliefs, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Both passes in turns, for a single block of labels."""
    for begin in range(start, stop, POINTS_AT_A_TIME):
        end = min(begin + POINTS_AT_A_TIME, stop)
        slice_rows(lanes, slices, beliefs[0], begin, end)
        believe(lanes, evidence, counts, beliefs, begin, end)
