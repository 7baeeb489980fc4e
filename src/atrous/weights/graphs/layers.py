"""A network as a graph of layers in neutral words, and the rewriting that makes two writers' graphs comparable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atrous.errors import CheckpointError

Array = NDArray[np.float32]
Kind = Literal[
    "input",
    "convolution",
    "norm",
    "bias",
    "scale",
    "activation",
    "add",
    "multiply",
    "concatenate",
    "mean",
    "max_pool",
    "resize",
    "pad",
    "space_to_batch",
    "batch_to_space",
    "zeros",
    "pass",
]
Activation = Literal["", "relu", "relu6", "hardswish", "hardsigmoid", "sigmoid", "silu"]
Sides = tuple[int, int, int, int]
"""Left, right, top, bottom, as torch pads."""


@dataclass(frozen=True)
class Norm:
    """Batch normalization by its running statistics; each float32 [channels]."""

    scale: Array
    shift: Array
    mean: Array
    variance: Array
    epsilon: float


@dataclass(frozen=True)
class Layer:
    """One layer; images are [B, C, H, W] whatever the file has."""

    kind: Kind
    name: str
    inputs: tuple[str, ...] = ()
    weight: Array | None = None
    """Of a convolution, float32 [out, in / groups, height, width]."""
    bias: Array | None = None
    """Of a convolution, or what a bias layer adds to each channel."""
    factor: Array | None = None
    """What a scale layer multiplies each channel with."""
    norm: Norm | None = None
    """Of a norm layer, or behind a convolution."""
    activation: Activation = ""
    groups: int = 1
    stride: int = 1
    rate: tuple[int, int] = (1, 1)
    kernel: int = 1
    """Of a pool."""
    sides: Sides | Literal["same"] = (0, 0, 0, 0)
    """Zeros around the input of a convolution or pool, or of a pad layer; same: as TensorFlow pads."""
    block: tuple[int, int] = (1, 1)
    """Of space to batch, and back."""
    resize: Literal["", "half_pixel", "align_corners", "asymmetric"] = ""
    tensors: dict[str, str] = field(default_factory=dict)
    """Names of the tensors that weight, bias, scale, shift, mean and variance come from."""

    @property
    def out_channels(self) -> int | None:
        """Of a convolution."""
        return None if self.weight is None else self.weight.shape[0]

    @property
    def depthwise(self) -> bool:
        """Whether it is a convolution within each channel."""
        return self.weight is not None and self.groups == self.weight.shape[0] > 1 and self.weight.shape[1] == 1


@dataclass(frozen=True)
class Graph:
    """Layers in an order in which they can be computed; the last one before the ends gives the answer."""

    layers: tuple[Layer, ...]

    @property
    def by_name(self) -> dict[str, Layer]:
        """Every layer by its name."""
        return {layer.name: layer for layer in self.layers}


def simplified(layers: Sequence[Layer]) -> Graph:
    """Return the same function in fewer layers: each convolution with its padding, rate, norm, bias and activation.

    Raises:
        CheckpointError: If a layer has an input that does not come before it.
    """
    uses = Counter(name for layer in layers for name in layer.inputs)
    done: dict[str, Layer] = {}
    names: dict[str, str] = {}
    for layer in layers:
        try:
            inputs = tuple(names[name] for name in layer.inputs)
        except KeyError as error:
            raise CheckpointError(f"The layer {layer.name} takes {error}, which nothing before it gives.") from None
        if layer.kind == "add":  # zeros only spread the other input over all places
            inputs = tuple(name for name in inputs if done[name].kind != "zeros")
        if layer.kind == "pass" or (layer.kind == "add" and len(inputs) == 1):
            names[layer.name] = inputs[0]
            continue
        new = _with_single_rate(replace(layer, inputs=inputs))
        before = done.get(inputs[0]) if inputs else None
        merged = new if before is None else _merged(before, new)
        # What others read as well stays as it is, beside the one that has absorbed it.
        if before is not None and merged is not new and uses[layer.inputs[0]] == 1:
            del done[before.name]
        done[merged.name] = merged
        names[layer.name] = merged.name
    return Graph(tuple(_needed(list(done.values()))))


def _merged(before: Layer, layer: Layer) -> Layer:
    """What two layers are together; the second one as it is if they stay two."""
    after_convolution = before.kind == "convolution" and before.activation == ""
    match layer.kind:
        case "bias" if after_convolution:
            return _biased(before, layer)
        case "scale" if after_convolution:
            return _scaled(before, layer)
        case "norm" if after_convolution and before.norm is None:
            return replace(before, name=layer.name, norm=layer.norm, tensors={**before.tensors, **layer.tensors})
        case "activation" if before.activation == "" and before.kind in ("convolution", "add"):
            return replace(before, name=layer.name, activation=layer.activation)
        case "convolution" | "max_pool" if before.kind == "pad" and layer.sides == (0, 0, 0, 0):
            return replace(layer, inputs=before.inputs, sides=before.sides)
        case "convolution" if before.kind == "space_to_batch":
            return replace(layer, inputs=before.inputs, rate=before.block, sides="same")
        case "batch_to_space" if before.kind == "convolution" and before.rate == layer.block:
            return replace(before, name=layer.name)
        case _:
            return layer


def _biased(before: Layer, layer: Layer) -> Layer:
    assert layer.bias is not None
    tensors = {**before.tensors, **layer.tensors}
    if before.norm is not None:
        norm = replace(before.norm, shift=before.norm.shift + layer.bias)
        return replace(before, name=layer.name, norm=norm, tensors=tensors)
    bias = np.zeros(before.out_channels or 0, np.float32) if before.bias is None else before.bias
    return replace(before, name=layer.name, bias=bias + layer.bias, tensors=tensors)


def _scaled(before: Layer, layer: Layer) -> Layer:
    assert layer.factor is not None
    assert before.weight is not None
    tensors = {**before.tensors, **layer.tensors}
    if before.norm is not None:
        norm = replace(before.norm, scale=before.norm.scale * layer.factor, shift=before.norm.shift * layer.factor)
        return replace(before, name=layer.name, norm=norm, tensors=tensors)
    weight = before.weight * layer.factor.reshape(-1, 1, 1, 1)
    bias = None if before.bias is None else before.bias * layer.factor
    return replace(before, name=layer.name, weight=weight, bias=bias, tensors=tensors)


def _with_single_rate(layer: Layer) -> Layer:
    """A kernel that holds zeros between its taps is a smaller one at a rate; some converters write it so."""
    if layer.weight is None or layer.rate != (1, 1):
        return layer
    height, width = layer.weight.shape[2:]
    for rate in (8, 4, 2):
        taps = (height - 1) // rate + 1
        if height != width or (height - 1) % rate or taps < 3:
            continue
        kept = layer.weight[:, :, ::rate, ::rate]
        if np.count_nonzero(kept) == np.count_nonzero(layer.weight):
            return replace(layer, weight=kept, rate=(rate, rate))
    return layer


def _needed(layers: list[Layer]) -> list[Layer]:
    """The layers that the last ones depend on, without branches that nothing reads."""
    by_name = {layer.name: layer for layer in layers}
    reached: set[str] = set()
    waiting = [layers[-1].name] if layers else []
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += by_name[name].inputs
    return [layer for layer in layers if layer.name in reached]
