"""Small files of other ecosystems, made by writers that are not ours."""

import io
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from atrous.networks import NetworkConfig, SegmentationNetwork, build_network
from tests.networks.randomness import randomize


def small_tflite() -> bytes:
    """A convolution, an addition of a constant and a softmax, packed by LiteRT's own schema."""
    schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = pytest.importorskip("flatbuffers")
    weights = np.arange(2 * 3 * 3 * 3, dtype=np.int8).reshape(2, 3, 3, 3)
    buffers = [b"", weights.tobytes(), np.array([1, -2], np.int32).tobytes(), np.array([0.5], np.float32).tobytes()]
    model = schema.ModelT()
    model.version = 3
    model.buffers = []
    for content in buffers:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8) if content else None
        model.buffers.append(buffer)
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(schema, "picture", (1, 8, 8, 3), 0, 0),
        _tensor(schema, "weights", (2, 3, 3, 3), 9, 1, scale=[0.5, 0.25], axis=0),
        _tensor(schema, "bias", (2,), 2, 2, scale=[0.1, 0.2], axis=0),
        _tensor(schema, "half", (1,), 0, 3),
        _tensor(schema, "found", (1, 4, 4, 2), 0, 0),
        _tensor(schema, "more", (1, 4, 4, 2), 0, 0),
    ]
    convolution = schema.Conv2DOptionsT()
    convolution.padding, convolution.strideW, convolution.strideH = 0, 2, 2
    convolution.fusedActivationFunction = 3
    graph.operators = [
        _operator(schema, 0, [0, 1, 2], [4], 1, convolution),
        _operator(schema, 1, [4, 3], [5], 11, None),
    ]
    graph.inputs, graph.outputs = [0], [5]
    model.operatorCodes = []
    for code in (3, 0):
        entry = schema.OperatorCodeT()
        entry.deprecatedBuiltinCode = entry.builtinCode = code
        entry.version = 1
        model.operatorCodes.append(entry)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(
    schema: Any, name: str, shape: tuple[int, ...], kind: int, buffer: int, scale: Any = None, axis: int = 0
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, buffer
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array(scale, np.float32)
        tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)
        tensor.quantization.quantizedDimension = axis
    return tensor


def _operator(schema: Any, code: int, inputs: list[int], outputs: list[int], kind: int, options: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = (kind, options) if options else (0, None)
    return operator


def small_graph_def() -> bytes:
    """A convolution and a norm, written by TensorFlow's own protocol buffers, in an order that cannot be computed."""
    protos: Any = pytest.importorskip("tensorboard.compat.proto.graph_pb2")
    graph = protos.GraphDef()

    def node(name: str, op: str, *inputs: str) -> Any:
        made = graph.node.add()
        made.name, made.op = name, op
        made.input.extend(inputs)
        return made

    convolution = node("found", "Conv2D", "picture", "kernel/read", "^nothing")
    convolution.attr["strides"].list.i.extend([1, 2, 2, 1])
    convolution.attr["padding"].s = b"SAME"
    kernel = node("kernel", "Const")
    kernel.attr["value"].tensor.dtype = 1
    for side in (3, 3, 3, 4):
        kernel.attr["value"].tensor.tensor_shape.dim.add().size = side
    kernel.attr["value"].tensor.tensor_content = np.arange(108, dtype=np.float32).tobytes()
    node("kernel/read", "Identity", "kernel")
    repeated = node("ones", "Const")
    repeated.attr["value"].tensor.dtype = 1
    repeated.attr["value"].tensor.tensor_shape.dim.add().size = 4
    repeated.attr["value"].tensor.float_val.extend([1.5])
    norm = node("normed", "FusedBatchNormV3", "found", "ones", "ones", "ones", "ones")
    norm.attr["epsilon"].f = 0.001
    node("picture", "Placeholder")
    node("nothing", "NoOp")
    text = node("text", "Const")
    text.attr["value"].tensor.dtype = 7
    text.attr["value"].tensor.string_val.append(b"a text")
    written: bytes = graph.SerializeToString()
    return written


def random_network(config: NetworkConfig, num_classes: int = 4) -> SegmentationNetwork:
    """A network of random weights and statistics, in evaluation mode."""
    torch.manual_seed(0)
    network = build_network(config, num_classes).eval()
    randomize(network)
    return network


def as_onnx(network: SegmentationNetwork, size: tuple[int, int] = (64, 96)) -> bytes:
    """The network as torch's own exporter writes it, pixel scale and last resize included."""
    pytest.importorskip("onnx")
    file = io.BytesIO()
    mode = torch.onnx.TrainingMode.PRESERVE  # its other modes fold the norms into the convolutions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        picture: Any = torch.rand(1, 3, *size)
        torch.onnx.export(network, (picture,), cast(Any, file), dynamo=False, training=mode, opset_version=17)
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
