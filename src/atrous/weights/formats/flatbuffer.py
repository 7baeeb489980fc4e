"""Flatbuffers: tables whose fields lie at offsets, each checked before it is followed."""

import struct
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from atrous.weights.formats.operators import MalformedError

T = TypeVar("T")


class Table:
    """A table in a flatbuffer; fields are called by their number in the schema.

    Args:
        data: The whole buffer.
        position: Where the table begins.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position
        vtable = position - self._number("<i", position)
        size = self._number("<H", vtable)
        if size < 4 or vtable < 0 or vtable + size > len(data):
            raise MalformedError("a table whose list of fields lies outside of the file")
        self._fields = struct.unpack_from(f"<{size // 2 - 2}H", data, vtable + 4)

    @classmethod
    def root(cls, data: bytes) -> "Table":
        """Return the table that the buffer begins with."""
        return cls(data, _unpacked(data, "<I", 0))

    def scalar(self, field: int, code: str, default: Any = 0) -> Any:
        """Return a number, in a code of `struct`, or the default where the field is absent."""
        place = self._place(field)
        return default if place is None else self._number(f"<{code}", place)

    def string(self, field: int) -> str:
        """Return a string; empty where the field is absent."""
        place = self._target(field)
        if place is None:
            return ""
        length = self._number("<I", place)
        return self._slice(place + 4, length).decode("utf-8", errors="replace")

    def table(self, field: int) -> "Table | None":
        """Return a table, or none where the field is absent."""
        place = self._target(field)
        return None if place is None else Table(self._data, place)

    def array(self, field: int, dtype: str) -> NDArray[Any] | None:
        """Return a vector of numbers of a little-endian dtype, or none where the field is absent."""
        place = self._target(field)
        if place is None:
            return None
        length = self._number("<I", place)
        kind = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self._slice(place + 4, length * kind.itemsize), kind)

    def tables(self, field: int, make: Callable[["Table"], T], most: int) -> list[T]:
        """Return what `make` makes of each table of a vector.

        Raises:
            MalformedError: If there are more than `most`, which no network has.
        """
        place = self._target(field)
        if place is None:
            return []
        length = self._number("<I", place)
        if length > most:
            raise MalformedError(f"a list of {length:,} entries, more than any network has")
        offsets = range(place + 4, place + 4 + 4 * length, 4)
        return [make(Table(self._data, at + self._number("<I", at))) for at in offsets]

    def _place(self, field: int) -> int | None:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._position + offset if offset else None

    def _target(self, field: int) -> int | None:
        place = self._place(field)
        return None if place is None else place + self._number("<I", place)

    def _number(self, code: str, place: int) -> Any:
        return _unpacked(self._data, code, place)

    def _slice(self, start: int, length: int) -> bytes:
        if start + length > len(self._data):
            raise MalformedError(f"{length:,} bytes are claimed where the file ends before")
        return self._data[start : start + length]


def _unpacked(data: bytes, code: str, place: int) -> Any:
    if place < 0 or place + struct.calcsize(code) > len(data):
        raise MalformedError("an offset that leads out of the file")
    return struct.unpack_from(code, data, place)[0]
