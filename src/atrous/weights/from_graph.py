"""A graph of layers becomes one of our networks: recognised, matched layer by layer, and compared by its answers."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from atrous.errors import CheckpointError
from atrous.networks import NetworkConfig, SegmentationNetwork, build_network
from atrous.weights.graphs.execution import answer_of
from atrous.weights.graphs.layers import Array, Graph, Layer
from atrous.weights.graphs.matching import Order, Pair, matched
from atrous.weights.graphs.ours import graph_of
from atrous.weights.graphs.recognition import configs_of
from atrous.weights.parity import Match

EVEN = (96, 128)
ODD = (97, 129)
"""A size that stays even where a network strides, for graphs whose padding is spelled out for such."""


class FromGraph(NamedTuple):
    """What a graph became."""

    config: NetworkConfig
    num_classes: int
    tensors: dict[str, Tensor]
    matched: tuple[Match, ...]
    difference: float
    """Largest difference of the low-resolution logits to those of the graph, relative to the largest of these."""


def from_graph(graph: Graph, common: dict[str, Any]) -> FromGraph:
    """Return the network that computes what a graph computes, with its weights.

    Args:
        graph: Of another ecosystem.
        common: Choices that the graph does not show, such as the pixel scale.

    Raises:
        CheckpointError: If no network of the family computes it.
    """
    reasons: list[str] = []
    for suggested in configs_of(graph, {**common, **_conventions(graph)}):
        config = _with_epsilon(suggested, graph)
        classes = next(layer for layer in reversed(graph.layers) if layer.kind == "convolution").out_channels or 0
        # Neither padding nor resizing makes a layer another one, and plain ones are easier to follow.
        plain = config.model_copy(update={"padding": "symmetric", "resize": "half_pixel"})
        with torch.device("meta"):
            network = build_network(plain, classes).eval()
        try:
            pairs = matched(graph_of(network), graph)
        except CheckpointError as error:
            reasons.append(str(error))
            continue
        return _filled(config, classes, graph, pairs)
    if reasons:
        raise CheckpointError(f"its layers are those of a known network, but {reasons[0]}")
    raise CheckpointError("its backbone is none of VGG-16, ResNet, Xception, DRN, MobileNet v1 to v3 or EdgeTPU")


def _conventions(graph: Graph) -> dict[str, Any]:
    """How the graph pads where it strides, and how it resizes."""
    strided = _padded_strides(graph)
    resized = [layer.resize for layer in graph.layers if layer.kind == "resize" and layer.resize]
    return {
        "padding": "same"
        if strided and all(sides == "same" or _is_of_tensorflow(sides) for sides in strided)
        else "symmetric",
        "resize": resized[-1] if resized else "half_pixel",
    }


def _padded_strides(graph: Graph) -> list[object]:
    """How each layer pads that strides and is larger than a pixel."""
    reaching = [
        layer for layer in graph.layers if layer.kernel > 1 or (layer.weight is not None and layer.weight.shape[-1] > 1)
    ]
    return [layer.sides for layer in reaching if layer.kind in ("convolution", "max_pool") and layer.stride > 1]


def pads_ambiguously(graph: Graph) -> bool:
    """Whether some of its layers pad as TensorFlow and others alike on both sides.

    A writer that knows the size of the pictures takes one for the other where they are the same, at odd sizes.
    """
    sides = _padded_strides(graph)
    return "same" in sides and any(isinstance(side, tuple) and not _is_spelled_out(side) for side in sides)


def _is_of_tensorflow(sides: object) -> bool:
    """Whether it pads as SAME; some writers spell out what that is at even sizes: one more at the bottom and right."""
    return sides == "same" or _is_spelled_out(sides)


def _is_spelled_out(sides: object) -> bool:
    return isinstance(sides, tuple) and sides[1] - sides[0] == sides[3] - sides[2] == 1


def _with_epsilon(config: NetworkConfig, graph: Graph) -> NetworkConfig:
    """The smallest epsilon of the graph's norms; larger ones are added to the variance of theirs."""
    epsilons = [layer.norm.epsilon for layer in graph.layers if layer.norm is not None]
    if not epsilons:
        return config
    return config.model_copy(update={"batch_norm": config.batch_norm.model_copy(update={"epsilon": min(epsilons)})})


def _filled(config: NetworkConfig, num_classes: int, graph: Graph, pairs: list[Pair]) -> FromGraph:
    torch.manual_seed(0)
    network = build_network(config, num_classes).eval()
    tensors = network.state_dict()
    norms = {name: module for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    matches = []
    for pair in pairs:
        for role, value in _values(pair, norms).items():
            name = pair.ours.tensors[role]
            tensors[name] = torch.from_numpy(np.array(value, np.float32)).reshape(tensors[name].shape)
            matches.append(Match(ours=name, theirs=_origin(pair.theirs, role), how=_how(pair, role)))
    network.load_state_dict(tensors)
    return FromGraph(config, num_classes, tensors, tuple(matches), difference_to(network, graph))


def _values(pair: Pair, norms: dict[str, nn.BatchNorm2d]) -> dict[str, Array]:
    """The tensors of one of our convolutions and of the norm behind it, by their role."""
    ours, theirs = pair.ours, pair.theirs
    assert theirs.weight is not None
    weight = theirs.weight
    if pair.inputs is not None:
        weight = weight[pair.inputs] if theirs.depthwise else weight[:, pair.inputs]
    channels = weight.shape[0]
    bias = _ordered(theirs.bias, pair.outputs, channels)
    if ours.norm is None:
        weight, bias = _without_norm(theirs, weight, bias, pair.outputs)
        return {"weight": weight, "bias": bias} if "bias" in ours.tensors else {"weight": weight}
    epsilon = norms[ours.tensors["mean"].removesuffix(".running_mean")].eps
    if theirs.norm is None:  # the norm was folded into the convolution: one that does nothing stands in for it
        ones = np.ones(channels, np.float32)
        return {"weight": weight, "scale": ones, "shift": bias, "mean": 0 * ones, "variance": ones - epsilon}
    norm = theirs.norm
    scale, shift, mean, variance = (
        _ordered(values, pair.outputs, channels) for values in (norm.scale, norm.shift, norm.mean, norm.variance)
    )
    return {
        "weight": weight,
        "scale": scale,
        "shift": shift,
        "mean": mean - bias,
        "variance": variance + np.float32(norm.epsilon - epsilon),
    }


def _without_norm(theirs: Layer, weight: Array, bias: Array, order: Order) -> tuple[Array, Array]:
    """Fold a norm of theirs where we have none."""
    if theirs.norm is None:
        return weight, bias
    norm = theirs.norm
    factor = _ordered(norm.scale / np.sqrt(norm.variance + norm.epsilon), order, weight.shape[0])
    shift, mean = (_ordered(values, order, weight.shape[0]) for values in (norm.shift, norm.mean))
    return weight * factor[:, None, None, None], (bias - mean) * factor + shift


def _ordered(values: Array | None, order: Order, count: int) -> Array:
    if values is None:
        return np.zeros(count, np.float32)
    return values if order is None else values[order]


def _origin(theirs: Layer, role: str) -> tuple[str, ...]:
    fallback = {"shift": "bias", "scale": "weight", "mean": "weight", "variance": "weight"}
    return (theirs.tensors.get(role) or theirs.tensors.get(fallback.get(role, "weight")) or theirs.name,)


def _how(pair: Pair, role: str) -> str:
    words = []
    if role == "weight":
        words.append("kernel")
    if role != "weight" and pair.theirs.norm is None and pair.ours.norm is not None:
        words.append("of a norm that was folded")
    if (pair.inputs if role == "weight" else pair.outputs) is not None:
        words.append("channels reordered")
    return ", ".join(words) or "as it is"


@torch.no_grad()
def difference_to(network: SegmentationNetwork, graph: Graph, size: tuple[int, int] = (96, 129)) -> float:
    """Return how far the network's low-resolution logits are from those of a graph, for pixels drawn at random."""
    bands = network.pixels.mean.numel()
    if any(_is_spelled_out(layer.sides) for layer in graph.layers):
        size = EVEN
    elif pads_ambiguously(graph):
        size = ODD
    pixels = torch.rand(1, bands, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    levels = network.backbone(pixels)
    ours = network.classifier(network.decoder(network.context(levels[-1]), levels))
    theirs = answer_of(_before_resizes(graph), pixels)
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _before_resizes(graph: Graph) -> Graph:
    """The graph up to its classifier; resizes within it follow the size of the picture and not that of the file."""
    layers = list(graph.layers)
    while layers and layers[-1].kind != "convolution":
        layers.pop()
    return Graph(tuple(layers))
