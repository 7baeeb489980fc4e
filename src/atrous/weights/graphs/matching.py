"""Two graphs side by side: which layer of the one is which of the other, and in which order its channels stand."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrous.errors import CheckpointError
from atrous.weights.graphs.layers import Graph, Layer

Order = NDArray[np.int64] | None
"""For each channel of ours the number of theirs; none where the order is the same."""


@dataclass
class Identities:
    """Numbers for all that a layer computes: equal for two layers with the same history, whatever their weights are.

    A layer's history are its kind, shapes, stride, rate and activation, and those of all layers before it; the inputs
    of sums and concatenations count in any order, sizes of resizes and sides of paddings not at all.
    """

    known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def of(self, graph: Graph) -> dict[str, int]:
        """Return the number of every layer of a graph, by its name."""
        numbers: dict[str, int] = {}
        for layer in graph.layers:
            inputs = [numbers[name] for name in layer.inputs]
            if layer.kind in ("add", "concatenate", "multiply"):
                inputs.sort()
            if layer.kind in ("resize", "pad"):
                numbers[layer.name] = inputs[0]
                continue
            history = (*_own(layer), *inputs)
            numbers[layer.name] = self.known.setdefault(history, len(self.known))
        return numbers


def _own(layer: Layer) -> tuple[Any, ...]:
    if layer.weight is None:
        return (layer.kind, layer.activation, layer.kernel, layer.stride)
    rate = layer.rate if max(layer.weight.shape[2:]) > 1 else (1, 1)
    return (layer.kind, layer.weight.shape, layer.groups, layer.stride, rate, layer.activation)


@dataclass(frozen=True)
class Pair:
    """The same layer in two graphs."""

    ours: Layer
    theirs: Layer
    inputs: Order
    """Of the channels of its input."""
    outputs: Order
    """Of the channels of its output."""


def matched(ours: Graph, theirs: Graph) -> list[Pair]:
    """Return the pairs of convolutions of two graphs that compute alike.

    Raises:
        CheckpointError: If a layer of either has no counterpart; it names the first one.
    """
    identities = Identities()
    own, other = identities.of(ours), identities.of(theirs)
    waiting: dict[int, list[Layer]] = defaultdict(list)
    for layer in theirs.layers:
        waiting[other[layer.name]].append(layer)
    orders: dict[str, Order] = {}
    twins: dict[str, Layer] = {}
    pairs = []
    for layer in ours.layers:
        if layer.kind in ("resize", "pad"):
            orders[layer.name], twins[layer.name] = orders[layer.inputs[0]], twins[layer.inputs[0]]
            continue
        candidates = [twin for twin in waiting[own[layer.name]] if twin.kind == layer.kind]
        if not candidates:
            raise CheckpointError(f"nothing in the file computes what {_words(layer)} does")
        twin = candidates[0]
        waiting[own[layer.name]].remove(twin)
        twins[layer.name] = twin
        before = orders[layer.inputs[0]] if layer.inputs else None
        orders[layer.name] = _order(layer, twin, theirs, twins, orders)
        if layer.kind == "convolution":
            pairs.append(Pair(layer, twin, before, orders[layer.name]))
    left = [twin for layers in waiting.values() for twin in layers if twin.kind == "convolution"]
    if left:
        raise CheckpointError(f"nothing in the network computes what {_words(left[0])} does in the file")
    return pairs


def _order(layer: Layer, twin: Layer, theirs: Graph, twins: dict[str, Layer], orders: dict[str, Order]) -> Order:
    """The order of the channels of a layer's output."""
    if layer.kind == "concatenate":
        return _concatenated(layer, twin, theirs, twins, orders)
    if layer.kind == "convolution" and not layer.depthwise:
        return None
    given = [orders[name] for name in layer.inputs]
    return next((order for order in given if order is not None), None)


def _concatenated(layer: Layer, twin: Layer, theirs: Graph, twins: dict[str, Layer], orders: dict[str, Order]) -> Order:
    by_name = theirs.by_name
    starts: dict[str, int] = {}
    start = 0
    for name in twin.inputs:
        source = _without_resize(by_name, name)
        starts[source] = start
        start += channels_of(by_name, source)
    pieces = []
    for name in layer.inputs:
        other = twins[name].name
        count = channels_of(by_name, other)
        order = orders[name]
        pieces.append(starts[other] + (np.arange(count) if order is None else order))
    whole = np.concatenate(pieces)
    return None if np.array_equal(whole, np.arange(start)) else whole


def _without_resize(by_name: dict[str, Layer], name: str) -> str:
    while by_name[name].kind in ("resize", "pad"):
        name = by_name[name].inputs[0]
    return name


def channels_of(by_name: dict[str, Layer], name: str) -> int:
    """Return the channels of a layer's output, as the convolutions before it give them."""
    layer = by_name[name]
    if layer.weight is not None:
        return int(layer.weight.shape[0])
    if layer.kind == "concatenate":
        return sum(channels_of(by_name, source) for source in layer.inputs)
    if not layer.inputs:
        return 3
    return max(channels_of(by_name, source) for source in layer.inputs)


def _words(layer: Layer) -> str:
    if layer.weight is None:
        return f"the {layer.kind} {layer.name}"
    out, per_group, height, width = layer.weight.shape
    name = layer.tensors.get("weight", layer.name).removesuffix(".weight")
    return (
        f"the {height}x{width} convolution {name} ({per_group * layer.groups} to {out} channels, stride "
        f"{layer.stride}, rate {max(layer.rate)}, {layer.activation or 'no'} activation)"
    )
