"""Strides into rates: how a backbone made for classification keeps a finer feature map."""

from typing import NamedTuple


class Step(NamedTuple):
    """What becomes of one layer.

    A layer of several convolutions strides in one of them: that one and all before it run at `rate`, those behind
    it at `next_rate`.
    """

    stride: int
    rate: int
    next_rate: int

    def times(self, factor: int) -> "Step":
        """Return the step with its rates multiplied, as multi-grid does."""
        return self._replace(rate=self.rate * factor, next_rate=self.next_rate * factor)


class StridesIntoRates:
    """Follows a backbone layer by layer, and turns strides beyond the output stride into atrous rates.

    Source: Chen et al. 2017, arXiv:1706.05587, section 3.1. Leaving out a stride of 2 computes the features at twice
    as many places. Whatever comes after must then reach twice as far to meet the same neighbours, so its rate doubles;
    the convolution that lost its stride still sees its own neighbours, and keeps the rate it had. Under this rule
    every feature of the coarser network is also one of the finer network, but for rounding, at the same weights:
    `fine[..., ::2, ::2] == coarse`.

    Args:
        output_stride: Pixels of the image per pixel of the deepest features.
        stride: Pixels of the image per pixel where the following starts.
    """

    def __init__(self, output_stride: int, stride: int = 1) -> None:
        self.output_stride = output_stride
        self.stride = stride
        self.rate = 1

    def step(self, stride: int) -> Step:
        """Return how the next layer runs, given the stride it has for classification."""
        rate = self.rate
        if self.stride * stride > self.output_stride:
            self.rate *= stride
            stride = 1
        self.stride *= stride
        return Step(stride, rate, next_rate=self.rate)
