"""The wire format of protocol buffers: a message as numbered fields, read along a schema that the caller knows."""

import struct
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrous.weights.formats.operators import MalformedError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_FIELDS = 4_000_000


class Message:
    """The fields of one message; those that are not asked for are passed over.

    Args:
        data: The bytes of the message; nothing of them is copied.
    """

    def __init__(self, data: memoryview) -> None:
        self._fields: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        position, count = 0, 0
        while position < len(data):
            count += 1
            if count > MOST_FIELDS:
                raise MalformedError(f"a message of more than {MOST_FIELDS:,} fields")
            key, position = read_varint(data, position)
            kind = key & 7
            if kind == VARINT:
                value, position = read_varint(data, position)
                self._fields[key >> 3].append((kind, value))
                continue
            length = 8 if kind == FIXED64 else 4
            if kind == BYTES:
                length, position = read_varint(data, position)
            elif kind not in (FIXED64, FIXED32):
                raise MalformedError(f"a field of wire type {kind}, which no message of today has")
            if position + length > len(data):
                raise MalformedError(f"a field that claims {length:,} bytes where {len(data) - position:,} are left")
            self._fields[key >> 3].append((kind, data[position : position + length]))
            position += length

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def integer(self, field: int, default: int = 0) -> int:
        """Return the last value of a whole number, with its sign."""
        values = self.integers(field)
        return values[-1] if values else default

    def integers(self, field: int) -> list[int]:
        """Return all values of a repeated whole number, packed or not."""
        values: list[int] = []
        for kind, value in self._fields.get(field, ()):
            if kind == VARINT:
                values.append(_signed(value))
                continue
            position = 0
            while kind == BYTES and position < len(value):
                number, position = read_varint(value, position)
                values.append(_signed(number))
        return values

    def float(self, field: int, default: float = 0.0) -> float:
        """Return the last value of a float."""
        values = self.numbers(field, "<f4")
        return float(values[-1]) if values.size else default

    def numbers(self, field: int, dtype: str) -> NDArray[Any]:
        """Return all values of a repeated number of fixed size, packed or not, as a flat array of a dtype."""
        size = np.dtype(dtype).itemsize
        pieces = [bytes(value) for kind, value in self._fields.get(field, ()) if kind != VARINT]
        if any(len(piece) % size for piece in pieces):
            raise MalformedError(f"numbers of {size} bytes in a field whose length is no multiple of that")
        return np.frombuffer(b"".join(pieces), dtype)

    def bytes(self, field: int) -> bytes:
        """Return the last value of a string of bytes; empty where it is absent."""
        values = self.all_bytes(field)
        return bytes(values[-1]) if values else b""

    def all_bytes(self, field: int) -> list[memoryview]:
        """Return all values of a field of bytes."""
        return [value for kind, value in self._fields.get(field, ()) if kind == BYTES]

    def string(self, field: int) -> str:
        """Return the last value of a string; empty where it is absent."""
        return self.bytes(field).decode("utf-8", errors="replace")

    def strings(self, field: int) -> tuple[str, ...]:
        """Return all values of a repeated string."""
        return tuple(bytes(value).decode("utf-8", errors="replace") for value in self.all_bytes(field))

    def message(self, field: int) -> "Message":
        """Return a message within; an empty one where it is absent."""
        values = self.all_bytes(field)
        return Message(values[-1] if values else memoryview(b""))

    def messages(self, field: int) -> list["Message"]:
        """Return all messages of a repeated field."""
        return [Message(value) for value in self.all_bytes(field)]


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """Return the whole number that begins at a position, and where it ends.

    Raises:
        MalformedError: If the bytes end within it, or it has more than 64 bits.
    """
    value = shift = 0
    while True:
        if position >= len(data):
            raise MalformedError("it ends within a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise MalformedError("a number of more than ten bytes")


def _signed(value: int) -> int:
    return int(struct.unpack("<q", struct.pack("<Q", value))[0])
