"""TensorFlow Lite: a flatbuffer with one graph of operators."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.flatbuffer import Table
from atrous.weights.formats.operators import Array, Attribute, MalformedError, Operator, OperatorGraph, Quantization

MOST_TENSORS = 100_000
MOST_OPERATORS = 20_000
MOST_INPUTS = 256
MOST_DIMENSIONS = 8

_TYPES = {0: "f4", 1: "f2", 2: "i4", 3: "u1", 4: "i8", 6: "?", 7: "i2", 9: "i1", 10: "f8", 15: "u4"}
_PADDING = ("SAME", "VALID")
_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

_NAMES = {
    0: "ADD",
    1: "AVERAGE_POOL_2D",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    18: "MUL",
    19: "RELU",
    21: "RELU6",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    25: "SOFTMAX",
    28: "TANH",
    32: "CUSTOM",
    34: "PAD",
    37: "BATCH_TO_SPACE_ND",
    38: "SPACE_TO_BATCH_ND",
    39: "TRANSPOSE",
    40: "MEAN",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    45: "STRIDED_SLICE",
    53: "CAST",
    56: "ARG_MAX",
    60: "PADV2",
    65: "SLICE",
    69: "TILE",
    70: "EXPAND_DIMS",
    77: "SHAPE",
    83: "PACK",
    97: "RESIZE_NEAREST_NEIGHBOR",
    114: "QUANTIZE",
    117: "HARD_SWISH",
    130: "BROADCAST_TO",
}


_WINDOW = ("padding:b", "stride_w:i", "stride_h:i")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "CONV_2D": (*_WINDOW, "activation:b", "dilation_w:i", "dilation_h:i"),
    "DEPTHWISE_CONV_2D": (*_WINDOW, "depth_multiplier:i", "activation:b", "dilation_w:i", "dilation_h:i"),
    "AVERAGE_POOL_2D": (*_WINDOW, "filter_w:i", "filter_h:i", "activation:b"),
    "MAX_POOL_2D": (*_WINDOW, "filter_w:i", "filter_h:i", "activation:b"),
    "CONCATENATION": ("axis:i", "activation:b"),
    "RESIZE_BILINEAR": ("_:i", "_:i", "align_corners:?", "half_pixel_centers:?"),
    "RESIZE_NEAREST_NEIGHBOR": ("align_corners:?", "half_pixel_centers:?"),
    **dict.fromkeys(("ADD", "MUL", "SUB", "DIV", "FULLY_CONNECTED"), ("activation:b",)),
    "MEAN": ("keep_dims:?",),
}
"""The options of the operators of convolutional networks, in the order of the schema, with their codes in `struct`."""


class _Tensor(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: str | None
    """None for a type that holds no numbers we read."""
    buffer: int
    quantization: Quantization | None


class _RawOperator(NamedTuple):
    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


def read_tflite(path: Path) -> OperatorGraph:
    """Read the main graph of a tflite file.

    Raises:
        CheckpointError: If the file is missing, cut off, or no such file.
    """
    data = read_bytes(path)
    try:
        return parse_tflite(data)
    except (MalformedError, OverflowError) as error:
        raise refused(path, "tflite file", error) from None


def parse_tflite(data: bytes) -> OperatorGraph:
    """Read the main graph from the bytes of a tflite file.

    Raises:
        MalformedError: If they are none.
    """
    if data[4:8] != b"TFL3":
        raise MalformedError("the mark TFL3 is missing")
    model = Table.root(data)
    codes = model.tables(1, _operator_code, MOST_TENSORS)
    buffers = model.tables(4, lambda table: _buffer(table, data), MOST_TENSORS)
    graphs = model.tables(2, lambda table: table, 64)
    if not graphs:
        raise MalformedError("it holds no graph")
    return _graph(graphs[0], codes, buffers)


def tflite_metadata(data: bytes) -> dict[str, bytes]:
    """Return what the writers of a tflite file have added to it, by name.

    Raises:
        MalformedError: If the bytes are no such file.
    """
    if data[4:8] != b"TFL3":
        raise MalformedError("the mark TFL3 is missing")
    model = Table.root(data)
    entries = model.tables(6, lambda table: (table.string(0), int(table.scalar(1, "I"))), MOST_TENSORS)
    buffers = model.tables(4, lambda table: table, MOST_TENSORS) if entries else []
    if any(number >= len(buffers) for _, number in entries):
        raise MalformedError("metadata in a buffer that there is not")
    return {name: _buffer(buffers[number], data) for name, number in entries}


def _operator_code(table: Table) -> str:
    code = max(table.scalar(3, "i"), table.scalar(0, "b"))
    return table.string(1) if code == 32 else _NAMES.get(code, f"OPERATOR_{code}")


def _buffer(table: Table, data: bytes) -> bytes:
    offset, size = table.scalar(1, "Q"), table.scalar(2, "Q")
    if offset > 1:  # the weights of large models lie behind the flatbuffer
        if offset + size > len(data):
            raise MalformedError("weights that lie behind the end of the file")
        return data[offset : offset + size]
    content = table.array(0, "u1")
    return b"" if content is None else content.tobytes()


def _graph(graph: Table, codes: list[str], buffers: list[bytes]) -> OperatorGraph:
    tensors = _with_unique_names(graph.tables(0, _tensor, MOST_TENSORS))
    raw = graph.tables(3, _raw_operator, MOST_OPERATORS)

    def names(indices: tuple[int, ...]) -> tuple[str, ...]:
        if any(not -1 <= index < len(tensors) for index in indices):
            raise MalformedError("an operator of a tensor that there is not")
        return tuple("" if index == -1 else tensors[index].name for index in indices)

    operators = []
    for number, operator in enumerate(raw):
        if operator.code >= len(codes):
            raise MalformedError("an operator of a kind that the file does not list")
        kind = codes[operator.code]
        outputs = names(operator.outputs)
        name = outputs[0] if outputs else f"{kind}_{number}"
        operators.append(Operator(kind, name, names(operator.inputs), outputs, _attributes(kind, operator.options)))
    constants = {}
    for tensor in tensors:
        if tensor.buffer >= len(buffers):
            raise MalformedError(f"the tensor {tensor.name} has a buffer that there is not")
        if buffers[tensor.buffer]:
            constants[tensor.name] = _constant(tensor, buffers[tensor.buffer])
    return OperatorGraph(
        tuple(operators),
        constants,
        names(_integers(graph.array(1, "i4"))),
        names(_integers(graph.array(2, "i4"))),
        {tensor.name: tensor.shape for tensor in tensors},
        {tensor.name: tensor.quantization for tensor in tensors if tensor.quantization is not None},
    )


def _tensor(table: Table) -> _Tensor:
    shape = _integers(table.array(0, "i4"))
    if len(shape) > MOST_DIMENSIONS:
        raise MalformedError(f"a tensor of {len(shape)} dimensions")
    if table.table(6) is not None:
        raise MalformedError("sparse tensors, which are not read: convert the model without sparsity")
    quantization = table.table(4)
    return _Tensor(
        table.string(3),
        shape,
        _TYPES.get(table.scalar(1, "b")),
        table.scalar(2, "I"),
        None if quantization is None else _quantization(quantization),
    )


def _quantization(table: Table) -> Quantization | None:
    scale, zero_point = table.array(2, "f4"), table.array(3, "i8")
    if scale is None or not scale.size:
        return None
    if zero_point is None or not zero_point.size:
        zero_point = np.zeros(scale.size, np.int64)
    if zero_point.size != scale.size:
        raise MalformedError(f"{scale.size} scales and {zero_point.size} zero points for one tensor")
    return Quantization(scale, zero_point, table.scalar(6, "i"))


def _with_unique_names(tensors: list[_Tensor]) -> list[_Tensor]:
    seen: set[str] = set()
    unique = []
    for index, tensor in enumerate(tensors):
        name = tensor.name if tensor.name and tensor.name not in seen else f"{tensor.name}#{index}"
        seen.add(name)
        unique.append(tensor._replace(name=name))
    return unique


def _constant(tensor: _Tensor, content: bytes) -> Array:
    if tensor.dtype is None:
        return np.frombuffer(content, np.uint8)
    if any(side < 0 for side in tensor.shape):
        raise MalformedError(f"the tensor {tensor.name} has a negative size")
    count = 1
    for side in tensor.shape:
        count *= side
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    if count * dtype.itemsize != len(content):
        raise MalformedError(
            f"the tensor {tensor.name} of shape {list(tensor.shape)} has {len(content):,} bytes instead of "
            f"{count * dtype.itemsize:,}"
        )
    return np.frombuffer(content, dtype).reshape(tensor.shape)


def _raw_operator(table: Table) -> _RawOperator:
    inputs, outputs = (_integers(table.array(field, "i4")) for field in (1, 2))
    if len(inputs) > MOST_INPUTS or len(outputs) > MOST_INPUTS:
        raise MalformedError(f"an operator of {max(len(inputs), len(outputs)):,} tensors")
    return _RawOperator(table.scalar(0, "I"), inputs, outputs, table.table(4))


def _attributes(kind: str, options: Table | None) -> dict[str, Attribute]:
    """The options of an operator by name; none for operators of other networks."""
    if options is None:
        return {}
    names = _OPTIONS.get(kind, ())
    return {name: value for name, value in _read_options(names, options) if name != "_"}


def _read_options(names: tuple[str, ...], options: Table) -> list[tuple[str, Attribute]]:
    values: list[tuple[str, Attribute]] = []
    for field, entry in enumerate(names):
        name, _, code = entry.partition(":")
        default = 1 if name.startswith(("dilation", "stride")) else 0
        value: Attribute = options.scalar(field, code, default)
        words = {"padding": _PADDING, "activation": _ACTIVATIONS}.get(name)
        if words is not None:
            if not isinstance(value, int) or not 0 <= value < len(words):
                raise MalformedError(f"an option {name} of an unknown value")
            value = words[value]
        values.append((name, value))
    return values


def _integers(values: Array | None) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values[: MOST_TENSORS + 1])
