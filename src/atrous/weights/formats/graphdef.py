"""TensorFlow's frozen graphs: a GraphDef, all of whose variables have become constants."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.operators import Array, Attribute, MalformedError, Operator, OperatorGraph
from atrous.weights.formats.protobuf import Message

MOST_NODES = 100_000
MOST_BYTES = 2**31

# The numbers of tensorflow.DataType.
DTYPES = {1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 9: "i8", 10: "?", 14: "bfloat16", 17: "u2", 19: "f2"}
_VARIABLES = {"Variable", "VariableV2", "VarHandleOp", "ReadVariableOp"}


class _Node(NamedTuple):
    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Attribute]


def read_graph_def(path: Path) -> OperatorGraph:
    """Read a frozen graph (.pb).

    Raises:
        CheckpointError: If the file is missing, cut off, no GraphDef, or has variables whose values lie elsewhere.
    """
    data = read_bytes(path)
    try:
        return parse_graph_def(data)
    except MalformedError as error:
        raise refused(path, "frozen graph of TensorFlow", error) from None


def parse_graph_def(data: bytes) -> OperatorGraph:
    """Read a frozen graph from its bytes.

    Raises:
        MalformedError: If they are none.
    """
    messages = Message(memoryview(data)).messages(1)
    if not messages:
        raise MalformedError("it holds no node")
    if len(messages) > MOST_NODES:
        raise MalformedError(f"it claims {len(messages):,} nodes")
    nodes = _sorted([_node(message) for message in messages])
    variables = [node.name for node in nodes if node.op in _VARIABLES]
    if variables:
        raise MalformedError(
            f"{variables[0]} is a variable, whose value lies elsewhere: import the checkpoint, or freeze the graph"
        )
    constants: dict[str, Array] = {}
    operators, inputs = [], []
    read: set[str] = set()
    for node in nodes:
        read.update(node.inputs)
        if node.op == "Const":
            value = node.attributes.get("value")
            constants[node.name] = value if isinstance(value, np.ndarray) else np.empty(0)  # a text
        elif node.op == "Placeholder":
            inputs.append(node.name)
        elif node.op == "Identity" and node.inputs and node.inputs[0] in constants:
            constants[node.name] = constants[node.inputs[0]]
        else:
            operators.append(Operator(node.op, node.name, node.inputs, (node.name,), node.attributes))
    outputs = tuple(operator.name for operator in operators if operator.name not in read)
    return OperatorGraph(tuple(operators), constants, tuple(inputs), outputs)


def _node(message: Message) -> _Node:
    inputs = tuple(name.removesuffix(":0") for name in message.strings(3) if not name.startswith("^"))
    attributes = {entry.string(1): _attribute(entry.message(2)) for entry in message.messages(5)}
    return _Node(message.string(1), message.string(2), inputs, attributes)


def _attribute(value: Message) -> Attribute:
    """An AttrValue: the one of its fields that is there."""
    if 2 in value:
        return value.bytes(2)
    if 3 in value:
        return value.integer(3)
    if 4 in value:
        return value.float(4)
    if 5 in value:
        return value.integer(5) != 0
    if 6 in value:
        return value.integer(6)
    if 7 in value:
        return _shape(value.message(7))
    if 8 in value:
        return _tensor(value.message(8))
    if 1 in value:
        items = value.message(1)
        floats = items.numbers(4, "<f4")
        return tuple(float(f) for f in floats) if floats.size else tuple(items.integers(3))
    return None


def _shape(message: Message) -> tuple[int, ...]:
    return tuple(dimension.integer(1) for dimension in message.messages(2))


def _tensor(message: Message) -> Array | None:
    """A TensorProto; none for a type without numbers. Few values stand for many: the last one is repeated."""
    dtype = DTYPES.get(message.integer(1))
    if dtype is None:
        return None
    shape = _shape(message.message(2))
    count = 1
    for side in shape:
        if side < 0:
            raise MalformedError("a constant of negative size")
        count *= side
    content = message.bytes(4)
    if content:
        return _from_bytes(content, dtype, shape, count)
    values = _listed(message, dtype)
    if count * 8 > MOST_BYTES:
        raise MalformedError(f"a constant of {count:,} values")
    if not values.size:
        values = np.zeros(1, values.dtype)
    if values.size > count:
        raise MalformedError(f"a constant of shape {list(shape)} with {values.size} values")
    # A repeated value needs no memory of its own.
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    return np.concatenate([values, np.full(_bounded(count - values.size), values[-1])]).reshape(shape)


def _bounded(count: int) -> int:
    if count > 16_000_000:
        raise MalformedError(f"a value that is repeated {count:,} times")
    return count


def _from_bytes(content: bytes, dtype: str, shape: tuple[int, ...], count: int) -> Array:
    size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    if len(content) != count * size:
        raise MalformedError(f"a constant of shape {list(shape)} with {len(content):,} bytes")
    if dtype == "bfloat16":
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _listed(message: Message, dtype: str) -> Array:
    match dtype:
        case "f4":
            return message.numbers(5, "<f4")
        case "f8":
            return message.numbers(6, "<f8")
        case "i8":
            return np.array(message.integers(10), np.int64)
        case "f2":
            return np.array(message.integers(13), np.uint16).view(np.float16)
        case "bfloat16":
            return (np.array(message.integers(13), np.uint32) << 16).view(np.float32)
        case "?":
            return np.array(message.integers(11), bool)
        case _:
            values = message.integers(7)
            if values and not -(2**31) <= min(values) <= max(values) < 2**32:
                raise MalformedError("a constant with a value that its type cannot hold")
            return np.array(values, np.int64).astype(dtype)


def _sorted(nodes: list[_Node]) -> list[_Node]:
    """The nodes in an order in which they can be computed; the file may have any."""
    by_name = {node.name: node for node in nodes}
    if len(by_name) != len(nodes):
        raise MalformedError("two nodes of one name")
    done: dict[str, _Node] = {}
    state: dict[str, int] = {}
    for start in by_name:
        stack = [start]
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            if state.get(name):
                done[name] = by_name[name]
                stack.pop()
                continue
            state[name] = 1
            for source in by_name[name].inputs:
                source = source.partition(":")[0]
                if source not in by_name:
                    raise MalformedError(f"{name} reads {source!r}, which there is not")
                if source not in done:
                    if state.get(source):
                        raise MalformedError(f"{name} depends on itself")
                    stack.append(source)
    return list(done.values())
