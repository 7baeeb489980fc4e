"""Shapes the plain way: every pixel asks every edge."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atrous.data.rasterizing import Bitmap, Ring


def inside_by_force(rings: Sequence[Ring], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which centres have an odd number of edges to their right."""
    mask = np.zeros(size, np.bool_)
    for y in range(size[0]):
        for x in range(size[1]):
            crossings = 0
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                    if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                        crossings += x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) > x + 0.5
            mask[y, x] = crossings % 2
    return mask


def on_canvas(bitmap: Bitmap, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The picture of a bitmap that lies in it."""
    canvas = np.zeros(size, np.bool_)
    bits, top, left = bitmap
    canvas[top : top + bits.shape[0], left : left + bits.shape[1]] = bits
    return canvas
