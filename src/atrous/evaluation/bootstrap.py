"""Confidence intervals over pictures, in memory that no number of pictures changes.

In each of the draws every picture weighs as much as a random number of the exponential distribution says (the Bayesian
bootstrap; Rubin 1981, doi:10.1214/aos/1176345338). Drawing with replacement leaves a third of the pictures out of each
draw, and with them the classes that only they show, so that the mean of the others would lie beside the score; here all
take part. The weights are whole numbers that follow from the picture's place in the split by a hash. So the draws grow
as pictures are counted, processes add theirs up, and two networks that saw the same pictures can be compared.
"""

from math import log

import numpy as np
from numba import njit
from numpy.typing import NDArray

DRAWS = 1000
CONFIDENCE = 0.95
SEED = 0x61_74_72_6F_75_73

Interval = tuple[float, float]
"""From, to."""

UNIT = 64
"""What a picture weighs on average: weights are rounded to its parts, and to one at least."""


class Draws:
    """The sums of counts in each draw."""

    def __init__(self, cells: int) -> None:
        """Begin with nothing; of cells that are never counted the system gives no memory."""
        self.sums: NDArray[np.int64] = np.zeros((cells, DRAWS), np.int64)
        """int64 [cells, DRAWS]."""

    def add(self, picture: int, counts: NDArray[np.int64]) -> None:
        """Count a picture, by its place in the split, with its weight in each draw: int64 [cells]."""
        cells = np.flatnonzero(counts)
        _add(self.sums, cells, counts[cells], weights_of(picture))

    def add_all(self, other: "Draws") -> None:
        """Count all pictures that another process counted."""
        rows = other._counted
        self.sums[rows] += other.sums[rows]

    @property
    def _counted(self) -> NDArray[np.intp]:
        """Which cells have been counted: those of classes that occur."""
        return np.flatnonzero(self.sums.any(axis=1))

    def __getstate__(self) -> tuple[int, NDArray[np.intp], NDArray[np.int64]]:
        """What travels to another process: no cells that were never counted."""
        rows = self._counted
        return len(self.sums), rows, self.sums[rows]

    def __setstate__(self, state: tuple[int, NDArray[np.intp], NDArray[np.int64]]) -> None:
        """Take what has travelled."""
        cells, rows, sums = state
        self.__init__(cells)  # type: ignore[misc]
        self.sums[rows] = sums


def weights_of(picture: int) -> NDArray[np.int64]:
    """int64 [DRAWS]: what the picture at this place of its split weighs in each draw; `UNIT` on average."""
    return _weights_of(np.uint64(picture), np.uint64(SEED), UNIT, DRAWS)  # type: ignore[no-any-return]


def interval(values: NDArray[np.float64]) -> Interval | None:
    """Where the middle 95 % of the draws lie; None where no draw has a score."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    rest = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(finite, [rest, 100 - rest])
    return float(low), float(high)


@njit(cache=True, nogil=True)
def _weights_of(picture, seed, unit, draws):  # type: ignore[no-untyped-def]  # numba
    weights = np.empty(draws, np.int64)
    start = _mixed(_mixed(picture + np.uint64(1)) ^ seed)
    for draw in range(draws):
        number = _mixed(start + np.uint64(draw) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)
        uniform = (float(number) + 0.5) / 2.0**53
        weights[draw] = max(1, round(-unit * log(uniform)))
    return weights


@njit(cache=True, nogil=True, inline="always")
def _mixed(bits):  # type: ignore[no-untyped-def]  # numba
    """A hash of 64 bits: the finalizer of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(cache=True, nogil=True)
def _add(sums, cells, counts, weights):  # type: ignore[no-untyped-def]  # numba
    for i in range(cells.size):
        row, count = sums[cells[i]], counts[i]
        for draw in range(weights.size):
            row[draw] += weights[draw] * count
