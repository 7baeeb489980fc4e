"""The dense CRF without any lattice: sums over all pairs of pixels, for small pictures."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig

Array = NDArray[np.float64]


def sum_over_all_pairs(features: NDArray[np.float32]) -> Array:
    """The Gaussian of every pair of points [N, d], float64 [N, N]."""
    gaps = features[:, None].astype(np.float64) - features[None]
    return np.asarray(np.exp(-0.5 * (gaps**2).sum(axis=2)))


def symmetrically_normalized(kernel: Array) -> Array:
    scale = 1 / np.sqrt(kernel.sum(axis=1))
    return np.asarray(scale[:, None] * kernel * scale)


def refine_by_force(
    probabilities: NDArray[np.float32],
    image: NDArray[np.uint8],
    config: DenseCRFConfig,
    kernel_of: Callable[[NDArray[np.float32]], Array] = sum_over_all_pairs,
) -> Array:
    """Algorithm 1 of Krähenbühl and Koltun 2011, word by word."""
    labels, height, width = probabilities.shape
    y, x = np.mgrid[:height, :width]
    place = np.stack([x, y], axis=-1).reshape(-1, 2)
    near = kernel_of((place / config.position_std_smooth).astype(np.float32))
    color = image.reshape(height * width, -1) / config.color_std
    features = np.concatenate([place / config.position_std_appearance, color], axis=1).astype(np.float32)
    kernel = config.weight_smooth * symmetrically_normalized(near)
    kernel = kernel + config.weight_appearance * symmetrically_normalized(kernel_of(features))
    penalties = 1 - np.eye(labels) if config.compatibility is None else np.array(config.compatibility)
    unary = -np.log(np.maximum(probabilities.reshape(labels, -1).astype(np.float64), 1e-5))
    belief = softmax(-unary)
    for _ in range(config.iterations):
        belief = softmax(-unary - penalties @ (belief @ kernel.T))
    return belief.reshape(labels, height, width)


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))


class LatticeByForce:
    """The permutohedral lattice as whole numbers in a dictionary: its simplices are found by trying all corners."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        count, d = features.shape
        self.d = d
        self.vertices: dict[tuple[int, ...], int] = {}
        entries = [self._around(point) for point in elevated(features.astype(np.float64))]
        self.splat = np.zeros((len(self.vertices), count))
        for point, (corners, shares) in enumerate(entries):
            for corner, share in zip(corners, shares, strict=True):
                self.splat[self.vertices[corner], point] += share

    def _around(self, point: Array) -> tuple[list[tuple[int, ...]], list[float]]:
        """The corners of the simplex around a point, each one step from the one before, and its shares of them."""
        d = self.d
        nearest = np.rint(point / (d + 1)) * (d + 1)
        rest = point - nearest
        excess = round(float(nearest.sum())) // (d + 1)
        order = np.argsort(-rest, kind="stable")
        if excess > 0:  # too far from the plane: the coordinates that were rounded up most go down
            down = order[d + 1 - excess :]
            nearest[down] -= d + 1
        elif excess < 0:
            nearest[order[:-excess]] += d + 1
        rest = point - nearest
        order = np.argsort(-rest, kind="stable")
        falling = rest[order] / (d + 1)
        corners, shares = [], [1 + falling[-1] - falling[0]]
        shares += [before - after for before, after in pairwise(falling)][::-1]
        for k in range(d + 1):
            corner = nearest + k
            corner[order[d + 1 - k :]] -= d + 1
            corners.append(tuple(int(c) for c in corner))
            self.vertices.setdefault(corners[-1], len(self.vertices))
        return corners, shares

    def matrix(self) -> Array:
        """What the filter does to numbers at the points, [N, N]: splat, blur along each direction, slice."""
        blurred = self.splat
        for direction in range(self.d + 1):
            blurred = self._blur(direction) @ blurred
        return self.splat.T @ blurred

    def _blur(self, direction: int) -> Array:
        blur = np.eye(len(self.vertices))
        step = np.ones(self.d + 1, int)
        step[direction] -= self.d + 1
        for vertex, row in self.vertices.items():
            for sign in (-1, 1):
                neighbour = self.vertices.get(tuple(int(c) for c in np.array(vertex) + sign * step))
                if neighbour is not None:
                    blur[row, neighbour] += 0.5
        return blur


def elevated(features: Array) -> Array:
    """Points in the plane of coordinates that sum to zero, [N, d + 1], in the lattice's unit of length."""
    d = features.shape[1]
    basis = np.zeros((d, d + 1))
    for i in range(d):
        basis[i, : i + 1] = 1
        basis[i, i + 1] = -(i + 1)
        basis[i] /= np.linalg.norm(basis[i])
    return np.asarray(features @ basis * np.sqrt(2 / 3) * (d + 1))
