"""Loops over pixels whose channels lie beside each other in bfloat16, for training on a CPU.

torch passes over such pictures several times where once is enough, and oneDNN has no fast gradient of a depthwise
convolution in bfloat16. Arrays of words hold bfloat16 as the upper half of a float32. All arithmetic is float32; sums
are taken over parts of the pictures, which do not depend on the number of threads, so that neither do the bits.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numba import njit, prange

inline = njit(inline="always")
compiled = njit(nogil=True, cache=True, fastmath={"contract", "nsz"}, error_model="numpy")
spread = njit(nogil=True, cache=True, parallel=True, error_model="numpy")

PARTS = 32
"""Into which pixels or rows are dealt; more threads than that find nothing to do."""


@inline
def _float(word):
    return np.uint32(np.uint32(word) << np.uint32(16)).view(np.float32)


@inline
def _word(value):
    bits = np.float32(value).view(np.uint32)  # rounded to the nearest, to the even one in the middle
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@spread
def sum_values(x, shift, sums):
    """Sum x - shift, and its square, over the pixels of each part.

    Args:
        x: words [pixels, C].
        shift: float32 [C], near the mean, so that no digits are lost.
        sums: float32 [PARTS, 2, C] of zeros, where the sums go.
    """
    for part in prange(PARTS):
        start, stop = len(x) * part // PARTS, len(x) * (part + 1) // PARTS
        _sum_values(x[start:stop], shift, sums[part, 0], sums[part, 1])


@compiled
def _sum_values(x, shift, first, second):
    for pixel in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = _float(x[pixel, c]) - shift[c]
            first[c] += value
            second[c] += value * value


@spread
def scale(x, factor, offset, low, high, y):
    """Write x * factor + offset, cut off below `low` and above `high`, to y; words [pixels, C]."""
    for part in prange(PARTS):
        start, stop = len(x) * part // PARTS, len(x) * (part + 1) // PARTS
        _scale(x[start:stop], factor, offset, low, high, y[start:stop])


@compiled
def _scale(x, factor, offset, low, high, y):
    for pixel in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = _float(x[pixel, c]) * factor[c] + offset[c]
            value = low if value < low else value
            y[pixel, c] = _word(high if value > high else value)


@spread
def sum_slopes(x, slope, factor, offset, low, high, mean, sums):
    """Sum over the pixels of each part the slope where `scale` cuts nothing off, and that times x - mean.

    Args:
        x: words [pixels, C], what `scale` was given.
        slope: words [pixels, C], the gradient of what it wrote.
        factor: float32 [C], and so on as it was given.
        offset: Likewise.
        low: Likewise.
        high: Likewise.
        mean: float32 [C].
        sums: float32 [PARTS, 2, C] of zeros, where the sums go.
    """
    for part in prange(PARTS):
        start, stop = len(x) * part // PARTS, len(x) * (part + 1) // PARTS
        _sum_slopes(x[start:stop], slope[start:stop], factor, offset, low, high, mean, sums[part, 0], sums[part, 1])


@compiled
def _sum_slopes(x, slope, factor, offset, low, high, mean, first, second):
    for pixel in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = _float(x[pixel, c])
            scaled = value * factor[c] + offset[c]
            passed = _float(slope[pixel, c]) if (scaled > low) & (scaled < high) else np.float32(0)
            first[c] += passed
            second[c] += passed * (value - mean[c])


@spread
def slopes(x, slope, factor, offset, low, high, of_x, constant, result):
    """Write factor * slope, where `scale` cuts nothing off, plus of_x * x + constant: words [pixels, C]."""
    for part in prange(PARTS):
        start, stop = len(x) * part // PARTS, len(x) * (part + 1) // PARTS
        _slopes(x[start:stop], slope[start:stop], factor, offset, low, high, of_x, constant, result[start:stop])


@compiled
def _slopes(x, slope, factor, offset, low, high, of_x, constant, result):
    for pixel in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = _float(x[pixel, c])
            scaled = value * factor[c] + offset[c]
            passed = _float(slope[pixel, c]) if (scaled > low) & (scaled < high) else np.float32(0)
            result[pixel, c] = _word(factor[c] * passed + of_x[c] * value + constant[c])


@spread
def convolve(x, weight, stride, rate, padding, y):
    """Convolve within each channel.

    Args:
        x: words [B, H, W, C].
        weight: float32 [kernel height, kernel width, C].
        stride: (vertical, horizontal).
        rate: Likewise.
        padding: Likewise, with zeros.
        y: words [B, h, w, C], the result.
    """
    rows = y.shape[0] * y.shape[1]
    for part in prange(PARTS):
        total = np.empty(x.shape[3], np.float32)
        for row in range(rows * part // PARTS, rows * (part + 1) // PARTS):
            picture, v = divmod(row, y.shape[1])
            for h in range(y.shape[2]):
                total[:] = 0
                for i in range(weight.shape[0]):
                    above = v * stride[0] - padding[0] + i * rate[0]
                    if 0 <= above < x.shape[1]:
                        for j in range(weight.shape[1]):
                            left = h * stride[1] - padding[1] + j * rate[1]
                            if 0 <= left < x.shape[2]:
                                _add_product(x[picture, above, left], weight[i, j], total)
                _write(total, y[picture, v, h])


@spread
def convolve_back(slope, weight, stride, rate, padding, result):
    """Write the gradient of what `convolve` was given, for that of what it wrote: words [B, H, W, C]."""
    rows = result.shape[0] * result.shape[1]
    for part in prange(PARTS):
        total = np.empty(result.shape[3], np.float32)
        for row in range(rows * part // PARTS, rows * (part + 1) // PARTS):
            picture, v = divmod(row, result.shape[1])
            for h in range(result.shape[2]):
                total[:] = 0
                for i in range(weight.shape[0]):
                    above, below_grid = divmod(v + padding[0] - i * rate[0], stride[0])
                    if below_grid == 0 and 0 <= above < slope.shape[1]:
                        for j in range(weight.shape[1]):
                            left, off_grid = divmod(h + padding[1] - j * rate[1], stride[1])
                            if off_grid == 0 and 0 <= left < slope.shape[2]:
                                _add_product(slope[picture, above, left], weight[i, j], total)
                _write(total, result[picture, v, h])


@spread
def sum_products(x, slope, stride, rate, padding, sums):
    """Sum the gradient of the weight over the rows of each part: float32 [PARTS, height, width, C], zeros before."""
    rows = slope.shape[0] * slope.shape[1]
    for part in prange(PARTS):
        for row in range(rows * part // PARTS, rows * (part + 1) // PARTS):
            picture, v = divmod(row, slope.shape[1])
            for i in range(sums.shape[1]):
                above = v * stride[0] - padding[0] + i * rate[0]
                if 0 <= above < x.shape[1]:
                    for j in range(sums.shape[2]):
                        for h in range(slope.shape[2]):
                            left = h * stride[1] - padding[1] + j * rate[1]
                            if 0 <= left < x.shape[2]:
                                _add_words(x[picture, above, left], slope[picture, v, h], sums[part, i, j])


@compiled
def _add_product(x, weight, total):
    for c in range(x.shape[0]):
        total[c] += _float(x[c]) * weight[c]


@compiled
def _add_words(x, slope, total):
    for c in range(x.shape[0]):
        total[c] += _float(x[c]) * _float(slope[c])


@compiled
def _write(total, y):
    for c in range(y.shape[0]):
        y[c] = _word(total[c])
