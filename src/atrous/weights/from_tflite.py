"""tflite: what its operators compute, as layers; quantised weights become the real numbers that they stand for."""

from dataclasses import replace
from typing import Any

import numpy as np

from atrous.errors import CheckpointError
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.formats.operators import Array, Operator, OperatorGraph, dequantized
from atrous.weights.graphs.layers import Activation, Graph, Layer, Sides
from atrous.weights.graphs.translation import Vocabulary, pixel_scale, translated, with_constant

_ACTIVATIONS: dict[object, Activation] = {"NONE": "", "RELU": "relu", "RELU6": "relu6"}
WORDS = Vocabulary(
    convolutions={"CONV_2D", "DEPTHWISE_CONV_2D"},
    ends={"ARG_MAX", "SOFTMAX", "SHAPE", "PACK", "STRIDED_SLICE", "SLICE", "RESIZE_NEAREST_NEIGHBOR"},
    passes={"QUANTIZE", "DEQUANTIZE", "CAST", "RESHAPE", "SQUEEZE", "TILE", "BROADCAST_TO", "EXPAND_DIMS"},
)
ARITHMETIC = {"ADD": "add", "SUB": "subtract", "MUL": "multiply", "DIV": "divide"}


def tflite_layers(graph: OperatorGraph) -> Graph:
    """Return the layers of a tflite graph, from its first convolution on.

    Raises:
        CheckpointError: If an operator is none of a convolutional network.
    """
    graph = _with_small_constants(graph)
    return translated(graph, WORDS, lambda operator, inputs: _layers(operator, inputs, graph))


def _with_small_constants(graph: OperatorGraph) -> OperatorGraph:
    """Weights of 16 bits, or of 8 in some files, are made whole by operators before they are used; here at once."""
    constants = dict(graph.constants)
    for operator in graph.operators:
        if operator.op in ("DEQUANTIZE", "CAST") and operator.inputs[0] in constants:
            name = operator.inputs[0]
            constants[operator.outputs[0]] = dequantized(constants[name], graph.quantization.get(name))
    return replace(graph, constants=constants)


def tflite_pixels(graph: OperatorGraph) -> PixelScaleConfig | None:
    """Return how the graph wants its pixels: as it computes, or, quantised, scale * (0..255 - zero point)."""
    quantization = graph.quantization.get(graph.inputs[0]) if graph.inputs else None
    if quantization is None or quantization.scale.size != 1:
        return pixel_scale(graph, WORDS, ARITHMETIC)
    scale, zero_point = float(quantization.scale[0]), int(quantization.zero_point[0])
    if not 0 <= zero_point <= 255:
        zero_point += 128  # int8 holds the pixels minus 128
    return PixelScaleConfig(mean=(zero_point / 255,) * 3, std=(1 / (255 * scale),) * 3)


def _layers(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> list[Layer]:
    name, options = operator.name, operator.attributes
    activation = _ACTIVATIONS.get(options.get("activation", "NONE"))
    if activation is None:
        raise CheckpointError(f"the operator {name} has an activation {options['activation']!r}, which no DeepLab has")
    match operator.op:
        case "CONV_2D" | "DEPTHWISE_CONV_2D" | "FULLY_CONNECTED":
            return [replace(_convolution(operator, inputs, graph), activation=activation)]
        case _ if operator.op in ARITHMETIC and len(inputs) == 1:
            return _with_constant(operator, inputs, graph)
        case "ADD":
            return [Layer("add", name, inputs, activation=activation)]
        case "MUL":
            return [Layer("multiply", name, inputs)]
        case "CONCATENATION":
            return [Layer("concatenate", name, inputs)]
        case "AVERAGE_POOL_2D":
            return [_mean(operator, inputs, graph)]
        case "MEAN":
            return [Layer("mean", name, inputs)]
        case "MAX_POOL_2D":
            kernel, stride = _integer(operator, "filter_h"), _integer(operator, "stride_h")
            return [Layer("max_pool", name, inputs, kernel=kernel, stride=stride, sides=_sides(operator))]
        case "RESIZE_BILINEAR":
            return [_resize(operator, inputs)]
        case "PAD" | "PADV2":
            (top, bottom), (left, right) = graph.constants[operator.inputs[1]].reshape(-1, 2)[1:3].tolist()
            return [Layer("pad", name, inputs, sides=(left, right, top, bottom))]
        case "SPACE_TO_BATCH_ND" | "BATCH_TO_SPACE_ND":
            vertical, horizontal = graph.constants[operator.inputs[1]].tolist()
            kind = "space_to_batch" if operator.op.startswith("SPACE") else "batch_to_space"
            return [Layer(kind, name, inputs, block=(vertical, horizontal))]  # type: ignore[arg-type]  # both are kinds
        case "RELU" | "RELU6" | "HARD_SWISH" | "LOGISTIC":
            kinds: dict[str, Activation] = {"HARD_SWISH": "hardswish", "LOGISTIC": "sigmoid"}
            return [Layer("activation", name, inputs, activation=kinds.get(operator.op) or _lower(operator.op))]
        case _:
            raise CheckpointError(f"the operator {operator.op} ({name}) is none of a DeepLab")


def _convolution(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    kernel = operator.inputs[1]
    if kernel not in graph.constants:
        raise CheckpointError(f"the weights of {operator.name} are computed, not stored")
    weight = dequantized(graph.constants[kernel], graph.quantization.get(kernel))
    depthwise = operator.op == "DEPTHWISE_CONV_2D"
    if operator.op == "FULLY_CONNECTED":
        weight = weight[:, None, None, :]
    weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
    tensors = {"weight": kernel}
    bias: Array | None = None
    if len(operator.inputs) > 2 and operator.inputs[2]:
        tensors["bias"] = operator.inputs[2]
        bias = dequantized(graph.constants[tensors["bias"]], graph.quantization.get(tensors["bias"]))
    linear = operator.op == "FULLY_CONNECTED"
    return Layer(
        "convolution",
        operator.name,
        inputs,
        weight=np.ascontiguousarray(weight),
        bias=bias,
        groups=weight.shape[0] if depthwise else 1,
        stride=1 if linear else _integer(operator, "stride_h"),
        rate=(1, 1) if linear else (_integer(operator, "dilation_h"), _integer(operator, "dilation_w")),
        sides=(0, 0, 0, 0) if linear else _sides(operator),
        tensors=tensors,
    )


def _with_constant(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> list[Layer]:
    (constant,) = (name for name in operator.inputs if name in graph.constants)
    values = dequantized(graph.constants[constant], graph.quantization.get(constant))
    activation = _ACTIVATIONS[operator.attributes.get("activation", "NONE")]
    first = f"{operator.name} before its activation"
    layer = with_constant(ARITHMETIC[operator.op], first, inputs, constant, values)
    return [layer, Layer("activation" if activation else "pass", operator.name, (first,), activation=activation)]


def _mean(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    size = graph.shapes.get(inputs[0], ())[1:3]
    if (_integer(operator, "filter_h"), _integer(operator, "filter_w")) != size:
        raise CheckpointError(f"the pool {operator.name} takes means over windows, not over the whole picture")
    return Layer("mean", operator.name, inputs)


def _resize(operator: Operator, inputs: tuple[str, ...]) -> Layer:
    corners, centers = operator.attributes.get("align_corners"), operator.attributes.get("half_pixel_centers")
    mode: Any = "align_corners" if corners else "half_pixel" if centers else "asymmetric"
    return Layer("resize", operator.name, inputs, resize=mode)


def _sides(operator: Operator) -> Sides | Any:
    return "same" if operator.attributes["padding"] == "SAME" else (0, 0, 0, 0)


def _integer(operator: Operator, name: str) -> int:
    value = operator.attributes[name]
    assert isinstance(value, int)
    return value


def _lower(name: str) -> Activation:
    return "relu6" if name == "RELU6" else "relu"
