"""ONNX: a protocol buffer with one graph of operators, its weights beside them."""

from pathlib import Path

import numpy as np

from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.operators import Array, Attribute, MalformedError, Operator, OperatorGraph
from atrous.weights.formats.protobuf import Message

MOST_NODES = 100_000

# The numbers of onnx.TensorProto.DataType.
_DTYPES = {1: "f4", 2: "u1", 3: "i1", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 16: "bfloat16"}


def read_onnx(path: Path) -> OperatorGraph:
    """Read an ONNX file whose weights lie in it.

    Raises:
        CheckpointError: If the file is missing, cut off, no ONNX, or keeps its weights in other files.
    """
    data = read_bytes(path)
    try:
        return parse_onnx(data)
    except MalformedError as error:
        raise refused(path, "ONNX file", error) from None


def parse_onnx(data: bytes) -> OperatorGraph:
    """Read an ONNX model from its bytes.

    Raises:
        MalformedError: If they are none.
    """
    model = Message(memoryview(data))
    graph = model.message(7)
    nodes = graph.messages(1)
    if not nodes or len(nodes) > MOST_NODES:
        raise MalformedError(f"its graph has {len(nodes):,} nodes")
    constants = {tensor.string(8): _tensor(tensor) for tensor in graph.messages(5)}
    operators = []
    for number, node in enumerate(nodes):
        operator = _operator(node, number)
        value = operator.attributes.get("value")
        if operator.op == "Constant" and isinstance(value, np.ndarray) and operator.outputs:
            constants[operator.outputs[0]] = value
        else:
            operators.append(operator)
    inputs, shapes = [], {}
    for entry in graph.messages(11):
        name = entry.string(1)
        if name not in constants:  # older files list their weights as inputs, too
            inputs.append(name)
        shapes[name] = _shape(entry)
    outputs = tuple(entry.string(1) for entry in graph.messages(12))
    return OperatorGraph(tuple(operators), constants, tuple(inputs), outputs, shapes)


def _operator(node: Message, number: int) -> Operator:
    attributes = {entry.string(1): _attribute(entry) for entry in node.messages(5)}
    kind, outputs = node.string(4), node.strings(2)
    return Operator(
        kind, node.string(3) or (outputs[0] if outputs else f"{kind}_{number}"), node.strings(1), outputs, attributes
    )


def _attribute(entry: Message) -> Attribute:
    """An AttributeProto: the one of its fields that is there."""
    if 5 in entry:
        return _tensor(entry.message(5))
    if 7 in entry:
        return tuple(float(value) for value in entry.numbers(7, "<f4"))
    if 8 in entry:
        return tuple(entry.integers(8))
    if 4 in entry:
        return entry.string(4)
    if 2 in entry:
        return entry.float(2)
    return entry.integer(3)


def _tensor(message: Message) -> Array:
    dtype = _DTYPES.get(message.integer(2))
    if dtype is None:
        raise MalformedError(f"a tensor of type {message.integer(2)}, which holds no numbers")
    if message.integer(14) == 1:
        raise MalformedError("its weights lie in other files: save it as one file")
    shape = tuple(message.integers(1))
    count = 1
    for side in shape:
        if side < 0:
            raise MalformedError("a tensor of negative size")
        count *= side
    content = message.bytes(9)
    values = _from_bytes(content, dtype) if content else _listed(message, dtype)
    if values.size != count:
        raise MalformedError(f"a tensor of shape {list(shape)} with {values.size:,} values")
    return values.reshape(shape)


def _from_bytes(content: bytes, dtype: str) -> Array:
    size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    if len(content) % size:
        raise MalformedError(f"values of {size} bytes in {len(content):,} bytes")
    if dtype == "bfloat16":
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))


def _listed(message: Message, dtype: str) -> Array:
    match dtype:
        case "f4":
            return message.numbers(4, "<f4")
        case "f8":
            return message.numbers(10, "<f8")
        case "i8":
            return np.array(message.integers(7), np.int64)
        case _:
            values = message.integers(5)
            if values and not -(2**31) <= min(values) <= max(values) < 2**32:
                raise MalformedError("a tensor with a value that its type cannot hold")
            if dtype in ("f2", "bfloat16"):
                words = np.array(values, np.int64).astype(np.uint16)
                return words.view(np.float16) if dtype == "f2" else _from_bytes(words.tobytes(), dtype)
            return np.array(values, np.int64).astype(dtype)


def _shape(entry: Message) -> tuple[int, ...]:
    """Of a ValueInfoProto; -1 for a side that has a name or nothing."""
    dimensions = entry.message(2).message(1).message(2).messages(1)
    return tuple(dimension.integer(1, -1) if 1 in dimension else -1 for dimension in dimensions)
