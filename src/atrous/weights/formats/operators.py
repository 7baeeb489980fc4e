"""A network as the graph of its operators, in the words of the ecosystem that wrote it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Attribute = int | float | str | bytes | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array | None


class MalformedError(ValueError):
    """What a reader of bytes raises where they are not what the format says; the reader of the file names it."""


@dataclass(frozen=True)
class Operator:
    """One operator; tensors are called by name."""

    op: str
    """As the ecosystem calls it: Conv2D, CONV_2D, Conv."""
    name: str
    inputs: tuple[str, ...]
    """An empty name stands for an optional one that is absent."""
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Quantization:
    """value = scale * (stored - zero_point), for the whole tensor or along one axis."""

    scale: Array
    """float32 [1] or [channels]."""
    zero_point: Array
    """int64, as many."""
    axis: int


@dataclass(frozen=True)
class OperatorGraph:
    """Operators in an order in which they can be computed."""

    operators: tuple[Operator, ...]
    constants: dict[str, Array]
    """As stored, not dequantised."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of tensors, where the file says it; -1 where unknown."""
    quantization: dict[str, Quantization] = field(default_factory=dict)


def dequantized(stored: Array, quantization: Quantization | None) -> NDArray[np.float32]:
    """Return the real values of a stored tensor, exactly, as float32.

    Raises:
        MalformedError: If there are not as many scales as channels.
    """
    if quantization is None:
        return np.asarray(stored, np.float32)
    scale, zero_point = quantization.scale, quantization.zero_point
    if scale.size > 1:
        shape = [1] * stored.ndim
        if not 0 <= quantization.axis < stored.ndim or stored.shape[quantization.axis] != scale.size:
            raise MalformedError(f"{scale.size} scales for a tensor of shape {list(stored.shape)}")
        shape[quantization.axis] = -1
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    # Both factors are exact in float64, and so is their product of 24 and at most 33 bits.
    real = (stored.astype(np.int64) - zero_point).astype(np.float64) * scale.astype(np.float64)
    return real.astype(np.float32)
