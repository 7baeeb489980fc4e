"""TensorFlow's frozen graphs: what their nodes compute, as layers."""

from typing import Any

import numpy as np

from atrous.errors import CheckpointError
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.formats.operators import Array, Operator, OperatorGraph
from atrous.weights.graphs.layers import Activation, Graph, Layer, Norm, Sides
from atrous.weights.graphs.translation import Vocabulary, pixel_scale, translated, with_constant

WORDS = Vocabulary(
    convolutions={"Conv2D", "DepthwiseConv2dNative"},
    ends={
        "ArgMax",
        "Softmax",
        "Shape",
        "StridedSlice",
        "Slice",
        "ResizeNearestNeighbor",
        "Pack",
        "Assert",
        "GreaterEqual",
        "Equal",
        "Unpack",
    },
    passes={"Identity", "Cast", "Squeeze", "Reshape", "Tile", "ExpandDims", "StopGradient", "CheckNumerics"},
)
ARITHMETIC = {"Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply", "RealDiv": "divide"}
_ACTIVATIONS: dict[str, Activation] = {"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid"}


def frozen_graph_layers(graph: OperatorGraph) -> Graph:
    """Return the layers of a frozen graph, from its first convolution on.

    Raises:
        CheckpointError: If a node is none of a convolutional network.
    """
    return translated(graph, WORDS, lambda operator, inputs: _layers(operator, inputs, graph))


def frozen_graph_pixels(graph: OperatorGraph) -> PixelScaleConfig | None:
    """Return what the graph does with its pixels, where it does it itself."""
    return pixel_scale(graph, WORDS, ARITHMETIC)


def _layers(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> list[Layer]:
    name = operator.name
    match operator.op:
        case "Conv2D" | "DepthwiseConv2dNative":
            return [_convolution(operator, inputs, graph)]
        case "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3":
            return [_norm(operator, inputs[:1], graph)]
        case "BiasAdd":
            constant = operator.inputs[1]
            return [Layer("bias", name, inputs, bias=_constant(graph, constant), tensors={"bias": constant})]
        case _ if operator.op in ARITHMETIC and len(inputs) == 1:
            return [_with_constant(operator, inputs, graph)]
        case "Add" | "AddV2":
            return [Layer("add", name, inputs)]
        case "Mul":
            return [Layer("multiply", name, inputs)]
        case "ConcatV2":
            return [Layer("concatenate", name, inputs)]
        case "AvgPool":
            return [Layer("mean", name, inputs)]
        case "Mean":
            return [Layer("mean", name, inputs)]
        case "MaxPool":
            kernel, stride = (_integers(operator, key)[1] for key in ("ksize", "strides"))
            return [Layer("max_pool", name, inputs, kernel=kernel, stride=stride, sides=_sides(operator))]
        case "ResizeBilinear":
            corners, centers = operator.attributes.get("align_corners"), operator.attributes.get("half_pixel_centers")
            mode: Any = "align_corners" if corners else "half_pixel" if centers else "asymmetric"
            return [Layer("resize", name, inputs, resize=mode)]
        case "Pad" | "PadV2" | "MirrorPad":
            (top, bottom), (left, right) = _constant(graph, operator.inputs[1])[1:3].astype(int).tolist()
            return [Layer("pad", name, inputs, sides=(left, right, top, bottom))]
        case "SpaceToBatchND" | "BatchToSpaceND":
            vertical, horizontal = _constant(graph, operator.inputs[1]).astype(int).tolist()
            kind: Any = "space_to_batch" if operator.op.startswith("Space") else "batch_to_space"
            return [Layer(kind, name, inputs, block=(vertical, horizontal))]
        case _ if operator.op in _ACTIVATIONS:
            return [Layer("activation", name, inputs, activation=_ACTIVATIONS[operator.op])]
        case _:
            raise CheckpointError(f"the node {name} is a {operator.op}, which no DeepLab has")


def _convolution(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    kernel = operator.inputs[1]
    weight = _constant(graph, kernel)
    if weight.ndim != 4:
        raise CheckpointError(f"the kernel {kernel} has {weight.ndim} dimensions instead of 4")
    depthwise = operator.op != "Conv2D"
    if depthwise:
        weight = weight.transpose(2, 3, 0, 1).reshape(-1, 1, *weight.shape[:2])
    else:
        weight = weight.transpose(3, 2, 0, 1)
    rates = _integers(operator, "dilations") or (1, 1, 1, 1)
    return Layer(
        "convolution",
        operator.name,
        inputs[:1],
        weight=np.ascontiguousarray(weight),
        groups=weight.shape[0] if depthwise else 1,
        stride=_integers(operator, "strides")[1],
        rate=(rates[1], rates[2]),
        sides=_sides(operator),
        tensors={"weight": kernel},
    )


def _norm(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    roles = dict(zip(("scale", "shift", "mean", "variance"), operator.inputs[1:5], strict=True))
    values = {role: _constant(graph, constant) for role, constant in roles.items()}
    epsilon = operator.attributes.get("epsilon", 1e-4)
    assert isinstance(epsilon, float)
    return Layer("norm", operator.name, inputs, norm=Norm(**values, epsilon=epsilon), tensors=roles)


def _with_constant(operator: Operator, inputs: tuple[str, ...], graph: OperatorGraph) -> Layer:
    constants = [name for name in operator.inputs if name in graph.constants]
    if not constants:
        raise CheckpointError(f"the node {operator.name} computes with a value that is not stored")
    values = _constant(graph, constants[0])
    return with_constant(ARITHMETIC[operator.op], operator.name, inputs, constants[0], values)


def _constant(graph: OperatorGraph, name: str) -> Array:
    if name not in graph.constants:
        raise CheckpointError(f"the value {name} is computed, where a stored one was expected")
    return np.asarray(graph.constants[name], np.float32)


def _sides(operator: Operator) -> Sides | Any:
    return "same" if operator.attributes.get("padding") == b"SAME" else (0, 0, 0, 0)


def _integers(operator: Operator, name: str) -> tuple[int, ...]:
    value = operator.attributes.get(name)
    return tuple(int(number) for number in value) if isinstance(value, tuple) else ()
