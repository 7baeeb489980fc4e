"""From the operators of any ecosystem to layers: what is common to all of them."""

from collections.abc import Callable, Set
from typing import NamedTuple

import numpy as np

from atrous.errors import CheckpointError
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.formats.operators import Array, Operator, OperatorGraph
from atrous.weights.graphs.layers import Graph, Layer, simplified

MADE_OF = Callable[[Operator, tuple[str, ...]], list[Layer]]
"""Makes layers of an operator whose inputs, those that hold pictures, have these names."""


class Vocabulary(NamedTuple):
    """The words of an ecosystem that matter before its operators are looked at."""

    convolutions: Set[str]
    ends: Set[str]
    """What turns logits into something else, or asks for sizes; nothing behind it is a layer."""
    passes: Set[str]
    """What leaves every value as it is."""


def translated(graph: OperatorGraph, words: Vocabulary, layers_of: MADE_OF) -> Graph:
    """Return the layers from the first convolution on; what comes before prepares pixels, see `pixel_scale`.

    Raises:
        CheckpointError: If there is no convolution, or an operator that no DeepLab has.
    """
    source = first_picture(graph, words)
    layers, known = [Layer("input", source)], {source}
    for operator in graph.operators:
        given = tuple(name for name in operator.inputs if name in known)
        if not given or operator.op in words.ends:
            continue
        if operator.op in words.passes:
            layers.append(Layer("pass", operator.outputs[0], given[:1]))
        else:
            layers += layers_of(operator, given)
        known.update(operator.outputs[:1])
    for layer in layers:
        _require_sane(layer)
    return simplified(layers)


def _require_sane(layer: Layer) -> None:
    """Refuse numbers that would take all memory, and that no network has."""
    sides = max(layer.sides) if isinstance(layer.sides, tuple) else 0
    for name, value, most in (
        ("stride", layer.stride, 8),
        ("rate", max(layer.rate + layer.block), 256),
        ("padding", sides, 1024),
        ("kernel", max(layer.weight.shape[2:], default=1) if layer.weight is not None else layer.kernel, 64),
    ):
        if not 0 <= value <= most or (name in ("stride", "rate", "kernel") and value == 0):
            raise CheckpointError(f"the layer {layer.name} has a {name} of {value:,}, which no network has")


def first_picture(graph: OperatorGraph, words: Vocabulary) -> str:
    """Return the name of what the first convolution reads.

    Raises:
        CheckpointError: If there is no convolution.
    """
    for operator in graph.operators:
        if operator.op in words.convolutions and operator.inputs:
            return operator.inputs[0]
    raise CheckpointError("there is no convolution in the graph: it is no DeepLab")


def with_constant(operation: str, name: str, inputs: tuple[str, ...], constant: str, values: Array) -> Layer:
    """Return the layer that adds a stored value to every channel, or multiplies each with it.

    Args:
        operation: "add", "subtract", "multiply" or "divide".
        name: Of the layer.
        inputs: The one picture.
        constant: The name of the stored value.
        values: One for all channels, or one for each.
    """
    if operation in ("add", "subtract") and not values.any():  # zeros that only spread a mean over all places
        return Layer("pass", name, inputs)
    flat = np.asarray(values, np.float32).reshape(-1)
    match operation:
        case "add":
            return Layer("bias", name, inputs, bias=flat, tensors={"bias": constant})
        case "subtract":
            return Layer("bias", name, inputs, bias=-flat, tensors={"bias": constant})
        case "multiply":
            return Layer("scale", name, inputs, factor=flat, tensors={"scale": constant})
        case _:
            return Layer("scale", name, inputs, factor=np.float32(1) / flat, tensors={"scale": constant})


def pixel_scale(graph: OperatorGraph, words: Vocabulary, arithmetic: dict[str, str]) -> PixelScaleConfig | None:
    """Return what the graph does with pixels of 0..255, or 0..1, before its first convolution; none if nothing.

    Args:
        graph: Of any ecosystem.
        words: Its words.
        arithmetic: Its names of "add", "subtract", "multiply" and "divide".
    """
    makers = {name: operator for operator in graph.operators for name in operator.outputs[:1]}
    steps: list[tuple[str, Array]] = []
    name = first_picture(graph, words)
    while name in makers:
        operator = makers[name]
        constants = [graph.constants[source] for source in operator.inputs if source in graph.constants]
        if operator.op in arithmetic and len(constants) == 1 and constants[0].size in (1, 3):
            steps.insert(0, (arithmetic[operator.op], np.asarray(constants[0], np.float64).reshape(-1)))
        others = [source for source in operator.inputs if source not in graph.constants]
        if not others:
            break
        name = others[0]
    if not steps:
        return None
    factor, shift = np.ones(3), np.zeros(3)
    for kind, value in steps:
        match kind:
            case "add":
                shift = shift + value
            case "subtract":
                shift = shift - value
            case "multiply":
                factor, shift = factor * value, shift * value
            case _:
                factor, shift = factor / value, shift / value
    # For pixels of 0..255, factor * (255 x) + shift = (x - mean) / std; but a factor of 4 is meant for pixels of 0..1.
    whole = 255.0 if np.abs(factor).max() < 0.5 else 1.0
    std, mean = 1 / (whole * factor), -shift / (whole * factor)
    return PixelScaleConfig(mean=tuple(map(float, mean)), std=tuple(map(float, std)))
