"""ONNX: what its nodes compute, as layers."""

from typing import Any

import numpy as np

from atrous.errors import CheckpointError
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.formats.operators import Array, Operator, OperatorGraph
from atrous.weights.graphs.layers import Activation, Graph, Layer, Norm, Sides
from atrous.weights.graphs.translation import Vocabulary, pixel_scale, translated, with_constant

WORDS = Vocabulary(
    convolutions={"Conv"},
    ends={"ArgMax", "Softmax", "LogSoftmax", "Shape", "Slice", "Gather"},
    passes={"Identity", "Cast", "Dropout", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Expand", "Tile", "Transpose"},
)
ARITHMETIC = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_ACTIVATIONS: dict[str, Activation] = {
    "Relu": "relu",
    "HardSwish": "hardswish",
    "HardSigmoid": "hardsigmoid",
    "Sigmoid": "sigmoid",
}


def onnx_layers(graph: OperatorGraph) -> Graph:
    """Return the layers of an ONNX graph, from its first convolution on.

    Raises:
        CheckpointError: If a node is none of a convolutional network.
    """
    return translated(graph, WORDS, lambda operator, inputs: _layers(operator, inputs, graph))


def onnx_pixels(graph: OperatorGraph) -> PixelScaleConfig | None:
    """Return what the graph does with its pixels, where it does it itself."""
    return pixel_scale(graph, WORDS, ARITHMETIC)


def _layers(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> list[Layer]:
    name = operator.outputs[0]
    match operator.op:
        case "Conv":
            return [_convolution(operator, inputs, graph)]
        case "Gemm":
            return [_linear(operator, inputs, graph)]
        case "BatchNormalization":
            return [_norm(operator, inputs[:1], graph)]
        case _ if operator.op in ARITHMETIC and len(inputs) == 1:
            return [_with_constant(operator, inputs, graph)]
        case "Add" | "Mul":
            return [Layer("add" if operator.op == "Add" else "multiply", name, inputs)]
        case "Concat":
            return [Layer("concatenate", name, inputs)]
        case "GlobalAveragePool" | "ReduceMean" | "AveragePool":
            return [Layer("mean", name, inputs)]
        case "MaxPool":
            kernel, stride = (_integers(operator, key, (1, 1))[0] for key in ("kernel_shape", "strides"))
            return [Layer("max_pool", name, inputs, kernel=kernel, stride=stride, sides=_sides(operator))]
        case "Upsample" | "Resize":
            return [Layer("resize", name, inputs, resize=_mode(operator))]
        case "Pad":
            return [Layer("pad", name, inputs, sides=_pad(operator, graph))]
        case "Clip":
            return [Layer("activation", name, inputs, activation=_clip(operator, graph))]
        case _ if operator.op in _ACTIVATIONS:
            return [Layer("activation", name, inputs, activation=_ACTIVATIONS[operator.op])]
        case _:
            raise CheckpointError(f"the node {operator.name} is a {operator.op}, which no DeepLab has")


def _convolution(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    weight = _constant(graph, operator.inputs[1])
    if weight.ndim != 4:
        raise CheckpointError(f"the kernel {operator.inputs[1]} has {weight.ndim} dimensions instead of 4")
    tensors = {"weight": operator.inputs[1]}
    bias: Array | None = None
    if len(operator.inputs) > 2 and operator.inputs[2]:
        tensors["bias"] = operator.inputs[2]
        bias = _constant(graph, operator.inputs[2])
    groups = operator.attributes.get("group", 1)
    vertical, horizontal = _integers(operator, "dilations", (1, 1))
    return Layer(
        "convolution",
        operator.outputs[0],
        inputs[:1],
        weight=weight,
        bias=bias,
        groups=groups if isinstance(groups, int) else 1,
        stride=_integers(operator, "strides", (1, 1))[0],
        rate=(vertical, horizontal),
        sides=_sides(operator),
        tensors=tensors,
    )


def _linear(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    weight = _constant(graph, operator.inputs[1])
    weight = weight if operator.attributes.get("transB") else weight.T
    bias = _constant(graph, operator.inputs[2]) if len(operator.inputs) > 2 else None
    tensors = dict(zip(("weight", "bias"), operator.inputs[1:3], strict=False))
    return Layer(
        "convolution", operator.outputs[0], inputs[:1], weight=weight[:, :, None, None], bias=bias, tensors=tensors
    )


def _norm(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    roles = dict(zip(("scale", "shift", "mean", "variance"), operator.inputs[1:5], strict=True))
    values = {role: _constant(graph, constant) for role, constant in roles.items()}
    epsilon = operator.attributes.get("epsilon", 1e-5)
    assert isinstance(epsilon, float)
    return Layer("norm", operator.outputs[0], inputs, norm=Norm(**values, epsilon=epsilon), tensors=roles)


def _with_constant(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    constants = [name for name in operator.inputs if name in graph.constants]
    if not constants:
        raise CheckpointError(f"the node {operator.name} computes with a value that is not stored")
    values = _constant(graph, constants[0])
    return with_constant(ARITHMETIC[operator.op], operator.outputs[0], inputs, constants[0], values)


def _clip(operator: Operator, graph: OperatorGraph) -> Activation:
    limits = [operator.attributes.get(key) for key in ("min", "max")]
    for index, name in enumerate(operator.inputs[1:3]):
        if name in graph.constants:
            limits[index] = float(graph.constants[name].reshape(-1)[0])
    if limits == [0.0, 6.0]:
        return "relu6"
    raise CheckpointError(f"the node {operator.name} clips to {limits}, which no DeepLab does")


def _mode(operator: Operator) -> Any:
    """Upsample, and Resize before version 11, read at multiples of the factor."""
    if operator.op == "Upsample":
        return "asymmetric"
    mode = operator.attributes.get("coordinate_transformation_mode", "half_pixel")
    return {"align_corners": "align_corners", "asymmetric": "asymmetric"}.get(str(mode), "half_pixel")


def _sides(operator: Operator) -> Sides | Any:
    if operator.attributes.get("auto_pad", "NOTSET") == "SAME_UPPER":
        return "same"
    top, left, bottom, right = _integers(operator, "pads", (0, 0, 0, 0))
    return left, right, top, bottom


def _pad(operator: Operator, graph: OperatorGraph) -> Sides:
    pads = _integers(operator, "pads", ())
    if not pads and len(operator.inputs) > 1:
        pads = tuple(int(value) for value in _constant(graph, operator.inputs[1]))
    if len(pads) != 8:
        raise CheckpointError(f"the node {operator.name} pads something else than pictures")
    return pads[3], pads[7], pads[2], pads[6]


def _constant(graph: OperatorGraph, name: str) -> Array:
    if name not in graph.constants:
        raise CheckpointError(f"the value {name} is computed, where a stored one was expected")
    return np.asarray(graph.constants[name], np.float32)


def _integers(operator: Operator, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = operator.attributes.get(name)
    return tuple(int(number) for number in value) if isinstance(value, tuple) else default
