"""TensorFlow's older checkpoints: one file, a sorted table whose values hold the tensors themselves.

Layout: TensorFlow's saved_tensor_slice.proto. Under the empty key lie the names, shapes and types; under each other key
one slice of a tensor.
"""

from pathlib import Path

import numpy as np

from atrous.weights.formats.bundle import MAGIC, table_entries
from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.graphdef import DTYPES
from atrous.weights.formats.operators import Array, MalformedError
from atrous.weights.formats.protobuf import Message

_FIXED = {"f4": (5, "<f4"), "f8": (6, "<f8")}
_WHOLE = {"i4": 7, "u1": 7, "i2": 7, "i1": 7, "u2": 7, "i8": 10, "?": 11}
_BITS = 13  # halves, as whole numbers


def is_single_file(path: Path) -> bool:
    """Whether a file ends as a table does, and is no index of a newer checkpoint."""
    if path.name.endswith(".index") or not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() < 8:
            return False
        file.seek(-8, 2)
        return int.from_bytes(file.read(8), "little") == MAGIC


def read_single_file(path: Path) -> dict[str, Array]:
    """Read all variables of a checkpoint of one file, by their names.

    Raises:
        CheckpointError: If it is missing or damaged; checksums are compared.
    """
    try:
        return parse_single_file(read_bytes(path))
    except MalformedError as error:
        raise refused(path, "checkpoint of TensorFlow", error) from None


def parse_single_file(data: bytes) -> dict[str, Array]:
    """Return all variables, by their names; those of a type without numbers are left out.

    Raises:
        MalformedError: If the bytes contradict themselves, or a variable was saved in slices.
    """
    entries = dict(table_entries(data))
    if b"" not in entries:
        raise MalformedError("it has no list of variables")
    header = Message(memoryview(entries.pop(b""))).message(1)
    described = {entry.string(1): entry for entry in header.messages(1)}
    variables: dict[str, Array] = {}
    for content in entries.values():
        piece = Message(memoryview(content)).message(2)
        name = piece.string(1)
        if name not in described:
            raise MalformedError("a variable that it does not list")
        if name in variables or len(described[name].messages(4)) > 1:
            raise MalformedError(f"a variable {name!r} that was saved in slices: save it whole")
        dtype = DTYPES.get(described[name].integer(3))
        if dtype is not None:
            shape = tuple(side.integer(1) for side in described[name].message(2).messages(2))
            variables[name] = _values(piece.message(3), dtype, shape)
    return variables


def _values(tensor: Message, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype in _FIXED:
        field, fixed = _FIXED[dtype]
        values: Array = tensor.numbers(field, fixed)
    elif dtype in _WHOLE:
        whole = np.array(tensor.integers(_WHOLE[dtype]), np.int64)
        values = whole.astype(dtype)
        if (values != whole).any():
            raise MalformedError("a number that its own type cannot hold")
    else:
        bits = np.array(tensor.integers(_BITS), np.int64)
        if bits.size and (bits.min() < 0 or bits.max() > 0xFFFF):
            raise MalformedError("a half of more than 16 bits")
        values = bits.astype("<u2").view("<f2") if dtype == "f2" else (bits.astype("<u4") << 16).view("<f4")
    count = 1
    for side in shape:
        if side < 0:
            raise MalformedError("a variable of negative size")
        count *= side
    if values.size != count:
        raise MalformedError(f"a variable of shape {list(shape)} with {values.size:,} values")
    return values.reshape(shape)
