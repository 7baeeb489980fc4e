"""TensorFlow's checkpoints: a sorted table of names, and behind it, in other files, the values."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.errors import CheckpointError
from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.graphdef import DTYPES
from atrous.weights.formats.operators import Array, MalformedError
from atrous.weights.formats.protobuf import Message, read_varint

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
MOST_VARIABLES = 100_000
MOST_BLOCKS = 100_000


def read_tensorflow_checkpoint(path: Path) -> dict[str, Array]:
    """Read all variables of a checkpoint of today's form (a bundle), by their names.

    Args:
        path: The `.index` file, a `.data-00000-of-00001` beside it, or their common beginning such as `model.ckpt`.

    Raises:
        CheckpointError: If a file is missing or damaged; checksums are compared.
    """
    index = index_of(path)
    try:
        entries = dict(table_entries(read_bytes(index)))
        if not entries or b"" not in entries:
            raise MalformedError("it has no header")
        shards = Message(memoryview(entries.pop(b""))).integer(1, 1)
        if not 1 <= shards <= 10_000:
            raise MalformedError(f"it claims {shards:,} files of values")
        files: dict[int, bytes] = {}
        variables = {}
        for key, value in entries.items():
            variable = _variable(Message(memoryview(value)))
            if variable is not None:
                if variable.shard not in files:
                    files[variable.shard] = read_bytes(_shard(index, variable.shard, shards))
                variables[key.decode("utf-8", errors="replace")] = _value(variable, files[variable.shard])
    except MalformedError as error:
        raise refused(index, "checkpoint of TensorFlow", error) from None
    return variables


def index_of(path: Path) -> Path:
    """Return the index of a checkpoint, whichever of its files is given.

    Raises:
        CheckpointError: If there is none.
    """
    name = path.name
    stem = name.removesuffix(".index") if name.endswith(".index") else name.split(".data-")[0].removesuffix(".meta")
    index = path.with_name(f"{stem}.index")
    if not index.is_file():
        raise CheckpointError(
            f"There is no {index}: a checkpoint of TensorFlow is an .index with .data files beside it."
        )
    return index


class _Variable(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


def _shard(index: Path, number: int, count: int) -> Path:
    if not 0 <= number < count:
        raise MalformedError(f"a value in file {number} of {count}")
    return index.with_name(f"{index.name.removesuffix('.index')}.data-{number:05d}-of-{count:05d}")


def _variable(entry: Message) -> _Variable | None:
    """A BundleEntryProto; none for a type without numbers, such as the text of an object graph."""
    dtype = DTYPES.get(entry.integer(1))
    if dtype is None:
        return None
    if entry.messages(7):
        raise MalformedError("a variable that was saved in slices: save it whole")
    shape = tuple(dimension.integer(1) for dimension in entry.message(2).messages(2))
    checksum = int(entry.numbers(6, "<u4")[-1]) if 6 in entry else 0
    return _Variable(dtype, shape, entry.integer(3), entry.integer(4), entry.integer(5), checksum)


def _value(variable: _Variable, data: bytes) -> Array:
    dtype, shape, _, offset, size, checksum = variable
    count = 1
    for side in shape:
        if side < 0:
            raise MalformedError("a variable of negative size")
        count *= side
    item = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    if size != count * item or offset < 0 or offset + size > len(data):
        raise MalformedError(f"a variable of shape {list(shape)} with {size:,} bytes")
    content = data[offset : offset + size]
    if masked_checksum(content) != checksum:
        raise MalformedError("a variable whose checksum does not fit")
    if dtype == "bfloat16":
        return (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape)


def table_entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a sorted table, the format of LevelDB without compression.

    Raises:
        MalformedError: If it is none, or compressed.
    """
    if len(data) < FOOTER or struct.unpack_from("<Q", data, len(data) - 8)[0] != MAGIC:
        raise MalformedError("the mark of a table is missing at its end")
    footer = memoryview(data)[-FOOTER:]
    _, position = _handle(footer, 0)
    (start, length), _ = _handle(footer, position)
    seen = 0
    for number, (_, value) in enumerate(_block(data, start, length)):
        if number > MOST_BLOCKS:
            raise MalformedError("more blocks than any checkpoint has")
        (block, size), _ = _handle(memoryview(value), 0)
        for key, content in _block(data, block, size):
            seen += 1
            if seen > MOST_VARIABLES:
                raise MalformedError(f"more than {MOST_VARIABLES:,} variables")
            yield key, content


def _handle(data: memoryview, position: int) -> tuple[tuple[int, int], int]:
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return (offset, size), position


def _block(data: bytes, start: int, length: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; each key repeats only where it differs from the one before."""
    if start + length + 5 > len(data):
        raise MalformedError("a block that lies outside of the file")
    content = data[start : start + length]
    kind, checksum = data[start + length], struct.unpack_from("<I", data, start + length + 1)[0]
    if kind != 0:
        raise MalformedError("a compressed table, which TensorFlow does not write")
    if masked_checksum(data[start : start + length + 1]) != checksum:
        raise MalformedError("a block whose checksum does not fit")
    if length < 4:
        raise MalformedError("a block without an end")
    restarts = struct.unpack_from("<I", content, length - 4)[0]
    end = length - 4 - 4 * restarts
    if end < 0:
        raise MalformedError("a block that claims more than it holds")
    view, position, key = memoryview(content), 0, b""
    while position < end:
        shared, position = read_varint(view, position)
        own, position = read_varint(view, position)
        size, position = read_varint(view, position)
        if shared > len(key) or position + own + size > end:
            raise MalformedError("an entry that reaches beyond its block")
        key = key[:shared] + content[position : position + own]
        position += own
        yield key, content[position : position + size]
        position += size


def masked_checksum(data: bytes) -> int:
    """Return the checksum that TensorFlow stores: CRC-32C, turned by 15 bits and shifted by a constant."""
    crc = int(_crc32c(np.frombuffer(data, np.uint8), _TABLE))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    return table


_TABLE = _crc_table()


@njit(cache=True, nogil=True)
def _crc32c(data, table):  # type: ignore[no-untyped-def]  # numba
    crc = np.uint32(0xFFFFFFFF)
    for byte in data:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)
