"""Compute the graph that a file holds, layer by layer as it stands there: what an import is compared with."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from atrous.networks.layers import ResizeMode, resize_bilinear
from atrous.networks.padding import pad_same
from atrous.weights.graphs.layers import Activation, Array, Graph, Layer

_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
}


@torch.no_grad()
def answer_of(graph: Graph, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return what the last layer of a graph gives, [B, C, h, w], for pixels [B, bands, H, W] as it wants them."""
    values: dict[str, Tensor] = {}
    modes: dict[str, ResizeMode] = {layer.name: layer.resize for layer in graph.layers if layer.resize}
    uses = {name: index for index, layer in enumerate(graph.layers) for name in layer.inputs}
    for index, layer in enumerate(graph.layers):
        inputs = [values[name] for name in layer.inputs]
        values[layer.name] = pixels.to(dtype) if layer.kind == "input" else _computed(layer, inputs, modes)
        for name in layer.inputs:
            if uses[name] == index:
                values.pop(name, None)
    return values[graph.layers[-1].name]


def _computed(layer: Layer, inputs: list[Tensor], modes: dict[str, ResizeMode]) -> Tensor:
    x = inputs[0]
    match layer.kind:
        case "convolution":
            y = _convolved(layer, x)
        case "norm" | "bias" | "scale" | "activation":
            y = x
        case "add":
            first, *others = _spread(layer, inputs, modes)
            y = sum(others, start=first)
        case "multiply":
            y = inputs[0] * inputs[1]
        case "concatenate":
            y = torch.cat(_spread(layer, inputs, modes), dim=1)
        case "mean":
            y = x.mean(dim=(2, 3), keepdim=True)
        case "max_pool":
            y = F.max_pool2d(_padded(layer, x, (layer.kernel, layer.kernel), float("-inf")), layer.kernel, layer.stride)
        case "resize":
            y = x  # it gets the size of what it meets, so that the graph answers for pictures of any size
        case "pad":
            y = _padded(layer, x, (1, 1), 0.0)
        case _:
            raise ValueError(f"a layer of kind {layer.kind} cannot be computed alone")
    if layer.kind != "convolution":
        y = _normalized(layer, y)
    return _ACTIVATIONS[layer.activation](y)


def _convolved(layer: Layer, x: Tensor) -> Tensor:
    assert layer.weight is not None
    vertical, horizontal = layer.rate
    height, width = layer.weight.shape[2:]
    reach = ((height - 1) * vertical + 1, (width - 1) * horizontal + 1)
    weight = _tensor(layer.weight, x)
    bias = None if layer.bias is None else _tensor(layer.bias, x)
    x = _padded(layer, x, reach, 0.0)
    return _normalized(layer, F.conv2d(x, weight, bias, layer.stride, dilation=layer.rate, groups=layer.groups))


def _normalized(layer: Layer, x: Tensor) -> Tensor:
    if layer.kind != "convolution" and layer.bias is not None:
        x = x + _tensor(layer.bias, x)[:, None, None]
    if layer.factor is not None:
        x = x * _tensor(layer.factor, x)[:, None, None]
    if layer.norm is None:
        return x
    norm = layer.norm
    statistics = (_tensor(norm.mean, x), _tensor(norm.variance, x), _tensor(norm.scale, x), _tensor(norm.shift, x))
    return F.batch_norm(x, *statistics, eps=norm.epsilon)


def _padded(layer: Layer, x: Tensor, reach: tuple[int, int], value: float) -> Tensor:
    if layer.sides == "same":
        return pad_same(x, reach, (layer.stride, layer.stride), value) if layer.kind != "pad" else x
    return F.pad(x, layer.sides, value=value) if any(layer.sides) else x


def _spread(layer: Layer, inputs: list[Tensor], modes: dict[str, ResizeMode]) -> list[Tensor]:
    """All inputs of a layer at the size of the largest, resized as the graph says."""
    size = [max(x.shape[axis] for x in inputs) for axis in (2, 3)]
    return [
        resize_bilinear(x, size, modes.get(name, "half_pixel")) for name, x in zip(layer.inputs, inputs, strict=True)
    ]


def _tensor(values: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32)).to(like.dtype)
