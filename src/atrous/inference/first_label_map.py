"""The label maps of a process's first pictures, by numpy alone: to load compiled loops would take longer.

What is computed is what `cells.py` computes, to the last bit of a blended value: the product of two float32 is exact in
float64, so that its sum rounded to float32 is that of a fused multiplication and addition.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.labels import Mask

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
AT_ONCE = 1_000_000
"""Blended values that are held at a time."""


class Side(NamedTuple):
    """Where the pixels along one side of a mask lie between the logits along it."""

    starts: Ints
    """[n + 1]: pixels starts[i]..starts[i + 1] lie between logits i and i + 1."""
    weight: Floats
    """Of each pixel: the share of logit i + 1."""

    @property
    def cell(self) -> Ints:
        """The cell i of each pixel."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


class FirstLabelMap:
    """A label map whose certain cells are filled, and whose other pixels are known by their number."""

    def __init__(self, logits: Floats, rows: Side, columns: Side, dtype: type[np.uint8] | type[np.uint16]) -> None:
        """Take float32 [h, w, K] and fill the cells between four equal labels."""
        self.logits, self.rows, self.columns = logits, rows, columns
        labels = logits.argmax(axis=2)
        mixed: NDArray[np.bool_] = ~np.asarray(np.isfinite(logits).all(axis=2))
        around = np.pad(np.where(mixed, -1, labels), ((0, 1), (0, 1)), mode="edge")
        first = around[:-1, :-1]
        for other in (around[1:, :-1], around[:-1, 1:], around[1:, 1:]):
            mixed |= first != other
        cells = np.ix_(rows.cell, columns.cell)
        self.mask: Mask = labels.astype(dtype)[cells]
        self._open = np.nonzero(mixed[cells])

    @property
    def work(self) -> int:
        """How many values are to be blended yet."""
        return int(self._open[0].size * self.logits.shape[2])

    def filled(self) -> Mask:
        """The mask [H, W], once the pixels of mixed cells are computed."""
        step = max(1, AT_ONCE // self.logits.shape[2])
        for start in range(0, self._open[0].size, step):
            y, x = (each[start : start + step] for each in self._open)
            self.mask[y, x] = self._blended(y, x).argmax(axis=1)
        return self.mask

    def _blended(self, y: Ints, x: Ints) -> Floats:
        height, width = self.logits.shape[:2]
        top, left = self.rows.cell[y], self.columns.cell[x]
        bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
        across, down = self.columns.weight[x][:, None], self.rows.weight[y][:, None]
        upper = _blend(self.logits[top, left], self.logits[top, right], across)
        lower = _blend(self.logits[bottom, left], self.logits[bottom, right], across)
        return _blend(upper, lower, down)


def _blend(one: Floats, other: Floats, weight: Floats) -> Floats:
    rest = (np.float32(1) - weight).astype(np.float64)
    with np.errstate(invalid="ignore"):  # of logits that are not finite
        return (rest * one + weight * other).astype(np.float32)
