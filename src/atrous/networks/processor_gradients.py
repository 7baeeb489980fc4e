"""Training in bfloat16 on a CPU: the steps for which torch and oneDNN have no fast way there."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Pair = tuple[int, ...]
Doubles = NDArray[np.float64]

UNBOUNDED = (-math.inf, math.inf)
"""Nothing is cut off."""
WORTH_IT = 2**16
"""Values; for fewer, calling compiled loops costs more than they save."""


def gains(x: Tensor) -> bool:
    """Whether `normalize` and `depthwise` are faster than torch for [B, C, H, W], and can take it."""
    return (
        x.dtype == torch.bfloat16
        and x.is_cpu
        and x.numel() >= WORTH_IT
        and torch.is_grad_enabled()
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


class Moments(NamedTuple):
    """Of the values of each channel, [C]."""

    mean: Doubles
    variance: Doubles
    """Divided by their number, not by one less."""


@torch.no_grad()
def moments(x: Tensor) -> Moments:
    """Return mean and variance of each channel of bfloat16 [B, C, H, W]."""
    rows = _kernels()
    pixels = _words(x).reshape(-1, x.shape[1])
    some = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])[len(pixels) // 2].float().numpy()
    sums = np.zeros((rows.PARTS, 2, x.shape[1]), np.float32)
    rows.sum_values(pixels, some, sums)
    first, second = sums.sum(0, dtype=np.float64) / len(pixels)
    return Moments(some + first, np.maximum(second - first * first, 0))


def normalize(
    x: Tensor, found: Moments, weight: Tensor, bias: Tensor, epsilon: float, low: float, high: float
) -> Tensor:
    """Batch normalization in training and an activation that cuts off, in one.

    Args:
        x: bfloat16 [B, C, H, W], as `gains` asks for.
        found: What `moments` found in it.
        weight: float32 [C].
        bias: float32 [C].
        epsilon: Added to the variance.
        low: What smaller values become; -inf for none.
        high: What larger ones become.

    Returns:
        bfloat16 [B, C, H, W].
    """
    y: Tensor = _Normalize.apply(x, weight, bias, found, epsilon, low, high)
    return y


def depthwise(x: Tensor, weight: Tensor, stride: Pair, rate: Pair, padding: Pair) -> Tensor:
    """Return the convolution of bfloat16 [B, C, H, W] with float32 [C, 1, height, width] within each channel."""
    y: Tensor = _Depthwise.apply(x, weight, stride, rate, padding)
    return y


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor, found: Moments, epsilon: float, low: float, high: float
    ) -> Tensor:
        inverse = 1 / np.sqrt(found.variance + epsilon)
        factor = weight.detach().numpy() * inverse
        offset = bias.detach().numpy() - found.mean * factor
        line = (_single(factor), _single(offset), np.float32(low), np.float32(high))
        y = torch.empty_like(x)
        channels = x.shape[1]
        _kernels().scale(_words(x).reshape(-1, channels), *line, _words(y).reshape(-1, channels))
        context.save_for_backward(x)
        context.line, context.inverse, context.mean = line, inverse, found.mean
        return y

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, (x,), (factor, offset, low, high) = _kernels(), context.saved_tensors, context.line
        slope = gradients[0].contiguous(memory_format=torch.channels_last)
        channels, count = x.shape[1], x.numel() // x.shape[1]
        pixels, slopes = (_words(tensor).reshape(-1, channels) for tensor in (x, slope))
        sums = np.zeros((rows.PARTS, 2, channels), np.float32)
        rows.sum_slopes(pixels, slopes, factor, offset, low, high, _single(context.mean), sums)
        first, second = sums.sum(0, dtype=np.float64)
        of_x = -factor * context.inverse**2 * second / count
        constant = -factor * first / count - of_x * context.mean
        result = torch.empty_like(x)
        rows.slopes(
            pixels,
            slopes,
            factor,
            offset,
            low,
            high,
            _single(of_x),
            _single(constant),
            _words(result).reshape(-1, channels),
        )
        of_weight, of_bias = (torch.from_numpy(_single(values)) for values in (second * context.inverse, first))
        return result, of_weight, of_bias, None, None, None, None


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, stride: Pair, rate: Pair, padding: Pair) -> Tensor:
        context.save_for_backward(x, weight)
        context.steps = stride, rate, padding
        if stride == rate == (1, 1):
            return F.conv2d(x, weight.to(x.dtype), padding=padding, groups=x.shape[1])
        sides = zip(x.shape[-2:], weight.shape[-2:], stride, rate, padding, strict=True)
        size = [(length + 2 * p - r * (k - 1) - 1) // s + 1 for length, k, s, r, p in sides]
        y = x.new_empty((*x.shape[:2], *size)).contiguous(memory_format=torch.channels_last)
        _kernels().convolve(_words(x), _taps(weight), *context.steps, _words(y))
        return y

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, (x, weight) = _kernels(), context.saved_tensors
        slope = _words(gradients[0].contiguous(memory_format=torch.channels_last))
        taps, result = _taps(weight), torch.empty_like(x)
        rows.convolve_back(slope, taps, *context.steps, _words(result))
        sums = np.zeros((rows.PARTS, *taps.shape), np.float32)
        rows.sum_products(_words(x), slope, *context.steps, sums)
        of_weight = torch.from_numpy(_single(sums.sum(0, dtype=np.float64)))
        return result, of_weight.permute(2, 0, 1)[:, None], None, None, None


def _kernels() -> Any:
    """The compiled loops, on as many threads as torch has."""
    import numba

    from atrous.networks import pixel_rows

    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    if torch.get_num_threads() != threads:  # numba's first call starts as many as there are cores, for torch as well
        torch.set_num_threads(threads)
    return pixel_rows


def _words(x: Tensor) -> NDArray[np.uint16]:
    """[B, H, W, C], the same memory."""
    words: NDArray[np.uint16] = x.detach().permute(0, 2, 3, 1).view(torch.uint16).numpy()
    return words


def _taps(weight: Tensor) -> NDArray[np.float32]:
    taps: NDArray[np.float32] = weight.detach()[:, 0].permute(1, 2, 0).contiguous().numpy()
    return taps


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)
