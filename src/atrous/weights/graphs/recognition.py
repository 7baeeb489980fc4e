"""From a graph of layers to the config that computes it: heads are read off, backbones found by building them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from atrous.config import parse
from atrous.errors import CheckpointError, ConfigError
from atrous.networks import NetworkConfig
from atrous.weights.graphs.backbones import backbones_of
from atrous.weights.graphs.layers import Graph, Layer
from atrous.weights.graphs.walk import Walk

STATED_FOR = 16
"""The output stride for which the rates of v3 and v3+ are stated."""


def configs_of(graph: Graph, common: dict[str, Any]) -> Iterator[NetworkConfig]:
    """Suggest configs for a graph, the likeliest first; whether one fits is for `matching` to say.

    Args:
        graph: Of the whole network.
        common: What the graph does not say itself: pixels, padding, resize.

    Raises:
        CheckpointError: If it is no network that is known here.
    """
    walk = Walk(graph)
    classifier = next(layer for layer in reversed(graph.layers) if layer.kind == "convolution")
    pooled = walk.source(classifier)
    if pooled.kind == "mean":
        yield from _classifiers(walk, pooled, None, common)
        return
    if pooled.kind == "convolution" and walk.source(pooled).kind == "mean":
        yield from _classifiers(walk, walk.source(pooled), pooled.out_channels, common)
        return
    found = _cell(walk, graph)
    if found is not None:
        deepest, projection, choices = found
    else:
        mean, pooling = _image_pooling(walk, graph)
        deepest = walk.source(mean)
        projection, choices = _pyramid(walk, deepest, pooling)
    head = {**_head(walk, deepest, projection, classifier, choices), **common}
    for backbone in backbones_of(walk, deepest):
        yield from _possible({**head, "backbone": backbone.model_dump()})


def _possible(choices: dict[str, Any]) -> Iterator[NetworkConfig]:
    try:
        yield parse(NetworkConfig, choices, "the graph")
    except ConfigError:
        return


def _classifiers(walk: Walk, mean: Layer, pooled: int | None, common: dict[str, Any]) -> Iterator[NetworkConfig]:
    """A backbone with its head of ImageNet; the last convolution may be part of either."""
    last = walk.source(mean)
    choices = [(None, last)]
    if last.kind == "convolution":
        choices.append((last.out_channels, walk.source(last)))  # type: ignore[arg-type]
    for hidden, deepest in choices:
        for backbone in backbones_of(walk, deepest):
            yield from _possible(
                {
                    "kind": "image_classifier",
                    "backbone": backbone.model_dump(),
                    "output_stride": walk.strides[deepest.name],
                    "hidden_channels": hidden,
                    "pooled_channels": pooled,
                    **common,
                }
            )


def _image_pooling(walk: Walk, graph: Graph) -> tuple[Layer, Layer]:
    """The mean of the deepest features, and the convolution behind it; squeeze-and-excitation also has means."""
    for layer in reversed(graph.layers):
        if layer.kind == "mean":
            for reader in walk.readers(layer):
                if reader.kind == "convolution" and any(r.kind == "concatenate" for r in walk.readers(reader)):
                    return layer, reader
    raise CheckpointError(
        "no atrous spatial pyramid pooling with the mean of the image was found in the graph, nor a classifier behind "
        "such a mean: it is no DeepLab v3 or v3+, or its operators are unusual"
    )


@dataclass(frozen=True)
class _Chain:
    """Convolutions one behind the other."""

    convolutions: list[Layer]

    @property
    def separable(self) -> bool:
        return any(layer.depthwise for layer in self.convolutions)

    @property
    def normed_between(self) -> bool:
        return all(layer.activation != "" for layer in self.convolutions if layer.depthwise)


class _Context(NamedTuple):
    """What stands between the deepest features and the convolution that joins its branches."""

    choices: dict[str, Any]
    atrous: list[_Chain]


def _pyramid(walk: Walk, deepest: Layer, pooling: Layer) -> tuple[Layer, _Context]:
    """The atrous spatial pyramid pooling whose image pooling was found, and the convolution that joins its branches."""
    pyramid = next(reader for reader in walk.readers(pooling) if reader.kind == "concatenate")
    stride = walk.strides[deepest.name]
    branches = [_back_to(walk, name, deepest) for name in pyramid.inputs]
    atrous = [chain for chain in branches if max(chain.convolutions[0].weight.shape[2:]) > 1]  # type: ignore[union-attr]
    rates = [_stated(chain.convolutions[0].rate[0], stride) for chain in atrous]
    projection = walk.readers(pyramid)[0]
    kernel = projection.weight.shape[-1]  # type: ignore[union-attr]
    return projection, _Context({"rates": rates, "projection_kernel": kernel}, atrous)


def _cell(walk: Walk, graph: Graph) -> tuple[Layer, Layer, _Context] | None:
    """The deepest features, the convolution that joins the branches, and a dense prediction cell, if there is one.

    Of a cell each branch is one convolution, mostly a separable one, of the features or of another branch.
    """
    for fusion in reversed([layer for layer in graph.layers if layer.kind == "concatenate"]):
        chains = [_one_convolution(walk, walk.layers[name]) for name in fusion.inputs]
        branches = [chain for chain in chains if chain is not None]
        sources = [walk.source(chain.convolutions[0]).name for chain in branches]
        features = set(sources) - set(fusion.inputs)
        if len(branches) < max(3, len(chains)) or len(features) != 1 or len(set(sources)) < 2:
            continue
        (deepest,) = features
        cell = [
            {
                **_kernel_and_rate(chain.convolutions[0], walk.strides[deepest]),
                "input": -1 if source == deepest else fusion.inputs.index(source),
            }
            for chain, source in zip(branches, sources, strict=True)
        ]
        return walk.layers[deepest], walk.readers(fusion)[0], _Context({"cell": cell}, branches)
    return None


def _kernel_and_rate(layer: Layer, stride: int) -> dict[str, Any]:
    kernel = layer.weight.shape[-1]  # type: ignore[union-attr]
    return {"kernel": kernel, "rate": [_stated(rate, stride) if kernel > 1 else 1 for rate in layer.rate]}


def _one_convolution(walk: Walk, layer: Layer) -> _Chain | None:
    """The convolution that ends in a layer, in one step or two; none if it is no convolution."""
    if layer.kind != "convolution":
        return None
    before = walk.source(layer)
    same_stride = walk.strides[before.name] == walk.strides[layer.name]
    in_two_steps = before.kind == "convolution" and before.depthwise and same_stride and not layer.depthwise
    return _Chain([before, layer] if in_two_steps else [layer])


def _stated(rate: int, stride: int) -> int | float:
    """A rate at a stride, as it is stated for 16; what is no whole number fits no network here."""
    stated = rate * stride / STATED_FOR
    return int(stated) if stated == int(stated) else stated


def _head(walk: Walk, deepest: Layer, projection: Layer, classifier: Layer, context: _Context) -> dict[str, Any]:
    """What stands behind the deepest features, as choices of v3 or v3+."""
    stride = walk.strides[deepest.name]
    atrous = context.atrous
    behind = _between(walk, projection, classifier)
    decoders = [layer for layer in behind if layer.kind == "concatenate"]
    before, last = behind, behind
    choices: dict[str, Any] = {
        "kind": "deeplab_v3plus" if decoders else "deeplab_v3",
        "output_stride": stride,
        **context.choices,
        "context_channels": projection.out_channels,
    }
    if decoders:
        cut = behind.index(decoders[0])
        before, last = behind[:cut], behind[cut + 1 :]
        choices |= _decoder(walk, decoders[0], last)
    head = _Chain([layer for layer in before if layer.kind == "convolution"])
    choices["head_convolution"] = bool(head.convolutions)
    chains = [*atrous, head, *([_Chain([la for la in last if la.kind == "convolution"])] if decoders else [])]
    choices["separable"] = any(chain.separable for chain in chains)
    choices["separable_norm"] = all(chain.normed_between for chain in chains)
    return choices


def _decoder(walk: Walk, fusion: Layer, behind: list[Layer]) -> dict[str, Any]:
    low_levels = [
        layer
        for layer in (walk.layers[name] for name in fusion.inputs)
        if layer.kind == "convolution" and walk.strides[layer.name] < max(walk.strides.values())
    ]
    convolutions = [layer for layer in behind if layer.kind == "convolution"]
    return {
        "low_level_strides": [walk.strides[layer.name] for layer in low_levels],
        "low_level_channels": low_levels[0].out_channels if low_levels else 48,
        "decoder_channels": convolutions[-1].out_channels if convolutions else 256,
        "decoder_convolutions": sum(not layer.depthwise for layer in convolutions),
    }


def _back_to(walk: Walk, name: str, deepest: Layer) -> _Chain:
    """The convolutions from the deepest features to a layer, in their order."""
    chain: list[Layer] = []
    layer = walk.layers[name]
    while layer.name != deepest.name and layer.inputs:
        if layer.kind == "convolution":
            chain.insert(0, layer)
        layer = walk.layers[layer.inputs[0]]
    return _Chain(chain)


def _between(walk: Walk, first: Layer, last: Layer) -> list[Layer]:
    """The layers from behind `first` to before `last`, on the way of the first input."""
    between: list[Layer] = []
    layer = first
    while layer.name != last.name:
        layer = next(
            reader for reader in walk.readers(layer) if last.name in (reader.name, *_names_behind(walk, reader))
        )
        between.append(layer)
    return between[:-1]


def _names_behind(walk: Walk, layer: Layer) -> set[str]:
    reached: set[str] = set()
    waiting = [layer]
    while waiting:
        for reader in walk.after[waiting.pop().name]:
            if reader.name not in reached:
                reached.add(reader.name)
                waiting.append(reader)
    return reached
