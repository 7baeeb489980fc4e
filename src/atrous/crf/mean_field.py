"""Dense conditional random fields: every pixel hears all others, and labels move onto the edges of the image."""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.crf.beliefs import (
    Columns,
    believe,
    columns_of,
    evidence_of,
    penalize,
    penalties_of,
    planes_of,
    slice_and_believe,
    z_order,
)
from atrous.crf.config import DenseCRFConfig
from atrous.crf.filtering import Slice, normalized, room_for, slice_rows, splat_and_blur
from atrous.crf.lanes import lanes_of
from atrous.crf.permutohedral import Floats, Ints, Lattice, permutohedral_lattice
from atrous.threads import Threads, processors

LARGEST_KEPT = 2**20
"""Pixels up to which the smoothness kernel, which depends on a picture's size alone, is kept for the next picture."""


class Kernel(NamedTuple):
    """One of the Gaussians that tie pixels to each other, normalised."""

    weight: float
    lattice: Lattice


class Field(NamedTuple):
    """What a step of inference needs and does not change."""

    kernels: Sequence[Kernel]
    slices: tuple[Slice, ...]
    """Of each kernel; their values are of one block after the other, in memory that is used again and again."""
    columns: Columns
    evidence: Floats
    """float32 [B, N, W]: logarithms of the probabilities."""
    penalties: Floats | None
    """float32 [B, B * W, W]; None is Potts."""


def refine(
    probabilities: Floats, image: NDArray[np.uint8], config: DenseCRFConfig, *, threads: int | None = None
) -> Floats:
    """Move class boundaries onto the edges of the image, by mean-field inference.

    Source: Krähenbühl and Koltun 2011, algorithm 1, arXiv:1210.5644; the sums over all pixels are approximated by the
    permutohedral lattice of Adams, Baek and Davis 2010.

    Args:
        probabilities: float32 [K, H, W]; the K values of a pixel sum to 1. What is below 1e-5 counts as 1e-5.
        image: uint8 [H, W, C], the pixels of the file and not a normalised copy: RGB, or any other number of channels.
        config: Kernel widths, in pixels for position and in 8-bit levels for colour.
        threads: How many compute, by default one for each processor; the result is the same to the bit.

    Returns:
        float32 [K, H, W]; the K values of a pixel sum to 1.

    Raises:
        ValueError: If the two sizes differ, or a compatibility matrix is for another number of labels.
    """
    _require_fit(probabilities, image, config)
    if config.iterations == 0:
        return probabilities.astype(np.float32)
    flat = np.ascontiguousarray(probabilities, np.float32).reshape(len(probabilities), -1)
    order = z_order(image.shape[0], image.shape[1])
    with Threads(threads or processors()) as workers:
        field = _field(flat, image, order, config, workers)
        beliefs = np.zeros_like(field.evidence)
        _believe(beliefs, field, workers)
        for _ in range(config.iterations):
            _step(beliefs, field, workers)
        return planes_of(beliefs, field.columns, order, workers).reshape(probabilities.shape)


def refine_batch(
    probabilities: Floats, images: NDArray[np.uint8], config: DenseCRFConfig, *, threads: int | None = None
) -> Floats:
    """`refine` for each of several pictures, float32 [B, K, H, W] and uint8 [B, H, W, C]; each has a thread of its own.

    This is the faster way for small pictures; for large ones it needs the memory of as many as there are threads.
    """
    if len(probabilities) != len(images):
        raise ValueError(f"{len(probabilities)} pictures' probabilities were given with {len(images)} images")
    with Threads(threads or processors()) as workers:
        pairs = list(zip(probabilities, images, strict=True))
        refined = workers.map(lambda pair: refine(*pair, config, threads=1), pairs)
    return np.stack(refined) if refined else probabilities.astype(np.float32)


def _field(flat: Floats, image: NDArray[np.uint8], order: Ints, config: DenseCRFConfig, threads: Threads) -> Field:
    columns = columns_of(flat, shared=config.compatibility is None)
    kernels = pairwise_kernels(image, order, config, threads)
    return Field(
        kernels=kernels,
        slices=tuple(_slice(kernel, columns.counts.shape[1]) for kernel in kernels),
        columns=columns,
        evidence=evidence_of(flat, columns, order, threads),
        penalties=penalties_of(config.compatibility, columns) if config.compatibility else None,
    )


def pairwise_kernels(
    image: NDArray[np.uint8], order: Ints, config: DenseCRFConfig, threads: Threads
) -> tuple[Kernel, ...]:
    """The kernels that have a weight, over the pixels of an image [H, W, C] in an order [H * W]."""
    height, width, channels = image.shape
    kernels = []
    if config.weight_smooth:
        kernels.append(Kernel(config.weight_smooth, _smoothness(height, width, config.position_std_smooth)))
    if config.weight_appearance:
        place = _positions(height, width) / np.float32(config.position_std_appearance)
        color = image.reshape(-1, channels)[order] / np.float32(config.color_std)
        lattice = permutohedral_lattice(np.concatenate([place, color], axis=1), threads)
        kernels.append(Kernel(config.weight_appearance, normalized(lattice, threads)))
    return tuple(kernels)


def _smoothness(height: int, width: int, std: float) -> Lattice:
    build = _kept_smoothness if height * width <= LARGEST_KEPT else _kept_smoothness.__wrapped__
    return build(height, width, std)


@lru_cache(maxsize=2)
def _kept_smoothness(height: int, width: int, std: float) -> Lattice:
    with Threads(processors()) as threads:
        return normalized(permutohedral_lattice(_positions(height, width) / np.float32(std), threads), threads)


def _positions(height: int, width: int) -> Floats:
    """float32 [H * W, 2]: (x, y) of each pixel, in z-order."""
    order = z_order(height, width)
    return np.stack([order % width, order // width], axis=1).astype(np.float32)


def _step(beliefs: Floats, field: Field, threads: Threads) -> None:
    """One round of algorithm 1: messages of all labels, compatibility transform, local update."""
    lanes = lanes_of(beliefs.shape[2])
    for rows in beliefs:
        for kernel, slice_ in zip(field.kernels, field.slices, strict=True):
            splat_and_blur(kernel.lattice, rows, slice_.values, threads)
        if len(beliefs) == 1 and field.slices and field.penalties is None:
            counts = field.columns.counts
            threads.spread(partial(slice_and_believe, lanes, field.slices, field.evidence, counts, beliefs), len(rows))
            return
        if field.slices:
            threads.spread(partial(slice_rows, lanes, field.slices, rows), len(rows))
        else:
            rows[:] = 0
    if field.penalties is not None:
        threads.spread(partial(penalize, lanes, field.penalties, beliefs), beliefs.shape[1])
    _believe(beliefs, field, threads)


def _slice(kernel: Kernel, width: int) -> Slice:
    lattice = kernel.lattice
    return Slice(np.float32(kernel.weight), lattice.vertices, lattice.shares, room_for(lattice, width))


def _believe(beliefs: Floats, field: Field, threads: Threads) -> None:
    arguments = (lanes_of(beliefs.shape[2]), field.evidence, field.columns.counts, beliefs)
    threads.spread(partial(believe, *arguments), beliefs.shape[1])


def _require_fit(probabilities: Floats, image: NDArray[np.uint8], config: DenseCRFConfig) -> None:
    if probabilities.ndim != 3 or 0 in probabilities.shape:
        raise ValueError(f"probabilities are [K, H, W]; these are {list(probabilities.shape)}")
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(f"an image is uint8 [H, W, C]; this one is {image.dtype} {list(image.shape)}")
    if image.shape[:2] != probabilities.shape[1:]:
        sizes = f"{image.shape[0]}x{image.shape[1]} and {probabilities.shape[1]}x{probabilities.shape[2]}"
        raise ValueError(f"image and probabilities differ in height x width: {sizes}")
    if config.compatibility is not None and len(config.compatibility) != len(probabilities):
        raise ValueError(f"a compatibility of {len(config.compatibility)} labels does not fit {len(probabilities)}")
