"""What our own networks compute, as a graph of layers: read from torch's export of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export.graph_signature import InputKind

from atrous.networks import SegmentationNetwork
from atrous.weights.graphs.layers import Activation, Graph, Layer, Norm, simplified

_ACTIVATIONS: dict[str, Activation] = {
    "relu": "relu",
    "relu_": "relu",
    "hardswish": "hardswish",
    "hardswish_": "hardswish",
    "hardsigmoid": "hardsigmoid",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "silu_": "silu",
}
_NOTHING = {"dropout", "dropout_", "clone", "contiguous", "to", "_assert_tensor_metadata", "alias", "identity"}


def graph_of(network: SegmentationNetwork, size: tuple[int, int] = (97, 129)) -> Graph:
    """Return the graph of the network's low-resolution logits; weights stand in it by their names only.

    Args:
        network: In evaluation mode; it may be on `meta`.
        size: Of the picture that is followed through it.
    """
    device = next(network.parameters()).device
    image = torch.zeros(1, len(network.pixels.mean.flatten()), *size, device=device)
    program = torch.export.export(_LowResolution(network).eval(), (image,), strict=False)
    signature = program.graph_signature
    tensors = {spec.arg.name: spec.target for spec in signature.input_specs if spec.kind != InputKind.USER_INPUT}
    layers = [
        layer
        for node in program.graph.nodes
        if node.op in ("placeholder", "call_function") and node.name not in tensors
        for layer in _layers(node, {name: str(target) for name, target in tensors.items()})
    ]
    return simplified(layers)


class _LowResolution(nn.Module):
    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.backbone, self.context, self.decoder = network.backbone, network.context, network.decoder
        self.classifier, self.refinement = network.classifier, network.refinement

    def forward(self, pixels: Tensor) -> Tensor:
        levels = self.backbone(pixels)
        logits: Tensor = self.refinement(self.classifier(self.decoder(self.context(levels[-1]), levels)))
        return logits


def _layers(node: Any, tensors: dict[str, str]) -> list[Layer]:
    """The layers that an operation of torch is; most are one."""
    name = node.name
    if node.op == "placeholder":
        return [Layer("input", name)]
    operation = node.target.__name__.split(".")[0] if hasattr(node.target, "__name__") else str(node.target)
    inputs = tuple(argument.name for argument in node.all_input_nodes if argument.name not in tensors)
    arguments = {
        argument.name: value for argument, value in zip(node.target._schema.arguments, node.args, strict=False)
    } | node.kwargs
    match operation:
        case "conv2d":
            return [_convolution(node, inputs, arguments, tensors)]
        case "batch_norm":
            return [_norm(node, inputs, arguments, tensors)]
        case "add" | "add_" | "maximum":
            return [Layer("add", name, inputs)]
        case "mul":
            return [Layer("multiply", name, inputs)]
        case "cat":
            return [Layer("concatenate", name, tuple(argument.name for argument in arguments["tensors"]))]
        case "mean" | "adaptive_avg_pool2d":
            return [Layer("mean", name, inputs)]
        case "max_pool2d":
            pool, stride = (_single(arguments[key]) for key in ("kernel_size", "stride"))
            return [Layer("max_pool", name, inputs, kernel=pool, stride=stride)]
        case "upsample_bilinear2d":
            return [Layer("resize", name, inputs, resize="half_pixel")]
        case "pad" | "constant_pad_nd":
            left, right, top, bottom = arguments["pad"]
            return [Layer("pad", name, inputs, sides=(left, right, top, bottom))]
        case "hardtanh" | "hardtanh_":
            return [Layer("activation", name, inputs, activation="relu6")]
        case "relu6" | "relu6_":
            return [Layer("activation", name, inputs, activation="relu6")]
        case "zeros_like":
            return [Layer("zeros", name, inputs)]
        case _ if operation in _ACTIVATIONS:
            return [Layer("activation", name, inputs, activation=_ACTIVATIONS[operation])]
        case _ if operation in _NOTHING:
            return [Layer("pass", name, inputs)]
        case _:
            raise ValueError(f"torch's operation {operation} has no layer here")


def _convolution(node: Any, inputs: tuple[str, ...], arguments: dict[str, Any], tensors: dict[str, str]) -> Layer:
    weight = arguments["weight"]
    names = {"weight": tensors[weight.name]}
    bias = arguments.get("bias")
    if bias is not None:
        names["bias"] = tensors[bias.name]
    vertical, horizontal = _pair(arguments.get("dilation", 1))
    return Layer(
        "convolution",
        node.name,
        inputs,
        weight=np.broadcast_to(np.float32(1), tuple(weight.meta["val"].shape)),
        groups=arguments.get("groups", 1),
        stride=_single(arguments.get("stride", 1)),
        rate=(vertical, horizontal),
        tensors=names,
    )


def _norm(node: Any, inputs: tuple[str, ...], arguments: dict[str, Any], tensors: dict[str, str]) -> Layer:
    roles = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    one = np.broadcast_to(np.float32(1), tuple(arguments["weight"].meta["val"].shape))
    norm = Norm(one, one, one, one, float(arguments["eps"]))
    names = {role: tensors[arguments[key].name] for role, key in roles.items()}
    return Layer("norm", node.name, inputs, norm=norm, tensors=names)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _single(value: Any) -> int:
    return _pair(value)[0]
