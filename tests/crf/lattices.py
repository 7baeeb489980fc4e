"""The filter of our own lattice, whole and as a matrix."""

import numpy as np
from numpy.typing import NDArray

from atrous.crf.filtering import Slice, room_for, slice_rows, splat_and_blur
from atrous.crf.lanes import lanes_of
from atrous.crf.permutohedral import Lattice, permutohedral_lattice
from atrous.threads import Threads

ONE = Threads(1)


def filtered(lattice: Lattice, rows: NDArray[np.float32], threads: Threads = ONE) -> NDArray[np.float32]:
    values = room_for(lattice, rows.shape[1])
    splat_and_blur(lattice, rows, values, threads)
    result = np.empty_like(rows)
    slices = (Slice(np.float32(1), lattice.vertices, lattice.shares, values),)
    slice_rows(lanes_of(rows.shape[1]), slices, result, 0, len(rows))
    return result


def matrix_of_the_lattice(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the filter does to numbers at the points [N, d], float64 [N, N]; which points lie on edges, it decides."""
    lattice = permutohedral_lattice(features, ONE)
    columns = np.eye(-(-len(features) // 4) * 4, dtype=np.float32)[: len(features)]
    parts = [filtered(lattice, np.ascontiguousarray(columns[:, at : at + 4])) for at in range(0, columns.shape[1], 4)]
    return np.concatenate(parts, axis=1)[:, : len(features)].astype(np.float64)
