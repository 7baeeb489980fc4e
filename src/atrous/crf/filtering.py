"""A Gaussian filter over a lattice: splat, blur, slice, each for the rows of all points.

A row holds one number for each of a block of labels. Every pass writes rows that nobody else writes, and sums in an
order that is always the same: threads need no locks and change no bit of the result.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit

from atrous.crf.lanes import add, lanes_of, load, multiply_add, store, zero
from atrous.crf.permutohedral import Floats, Ints, Lattice
from atrous.threads import Threads

HALF = np.float32(0.5)


class Slice(NamedTuple):
    """What is sliced for one kernel."""

    weight: np.float32
    vertices: Ints
    shares: Floats
    values: Floats
    """float32 [M, W]: what came to the vertices."""


def normalized(lattice: Lattice, threads: Threads) -> Lattice:
    """Scale a lattice so that its filter is K[i, j] / sqrt(sum(K[i]) sum(K[j])), where it was K[i, j]."""
    sums: Floats = np.ones((len(lattice.vertices), 4), np.float32)
    values = room_for(lattice, 4)
    slices = (Slice(np.float32(1), lattice.vertices, lattice.shares, values),)
    splat_and_blur(lattice, sums, values, threads)
    threads.spread(partial(slice_rows, lanes_of(4), slices, sums), len(sums))
    scale = 1 / np.sqrt(sums[:, 0] + np.float32(1e-20))
    return lattice._replace(shares=lattice.shares * scale[:, None], portions=lattice.portions * scale[lattice.points])


def room_for(lattice: Lattice, width: int) -> Floats:
    """Memory for the rows of all vertices, float32 [M, W]."""
    return np.empty((len(lattice.first) - 1, width), np.float32)


def splat_and_blur(lattice: Lattice, rows: Floats, values: Floats, threads: Threads) -> None:
    """Splat the rows of the points, float32 [N, W], onto the vertices, [M, W], and blur along every direction."""
    lanes = lanes_of(rows.shape[1])
    entries = (lattice.first, lattice.points, lattice.portions)
    threads.spread(partial(_splat, lanes, *entries, rows, values), len(values))
    for order, starts in lattice.lines:
        threads.spread(partial(_blur, lanes, order, starts, values), len(starts) - 1)


@njit(cache=True, nogil=True)
def _splat(lanes, first, points, portions, rows, values, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Sum up the rows of the points around each vertex."""
    for vertex in range(start, stop):
        row = zero(lanes)
        for entry in range(first[vertex], first[vertex + 1]):
            row = multiply_add(load(lanes, rows, points[entry]), portions[entry], row)
        store(values, vertex, row)


@njit(cache=True, nogil=True)
def _blur(lanes, order, starts, values, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Add half of its two neighbours to each row, in place along each line; beyond its ends there is nothing."""
    for line in range(start, stop):
        last = starts[line + 1] - 1
        previous, current = zero(lanes), load(lanes, values, order[starts[line]])
        for entry in range(starts[line], last):
            following = load(lanes, values, order[entry + 1])
            store(values, order[entry], multiply_add(add(previous, following), HALF, current))
            previous, current = current, following
        store(values, order[last], multiply_add(previous, HALF, current))


@njit(cache=True, nogil=True)
def slice_rows(lanes, slices, rows, start, stop):  # type: ignore[no-untyped-def]  # numba
    """Write for each point the sum, over the kernels, of weight times the values of the vertices around it."""
    for point in range(start, stop):
        row = zero(lanes)
        for weight, vertices, shares, values in slices:
            part = zero(lanes)
            for entry in range(vertices.shape[1]):
                part = multiply_add(load(lanes, values, vertices[point, entry]), shares[point, entry], part)
            row = multiply_add(part, weight, row)
        store(rows, point, row)
