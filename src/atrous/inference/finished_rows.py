"""Rows of a mask that are finished, in a file that a kill at any moment leaves readable."""

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from atrous.files import cannot_write, make_folder
from atrous.labels import Mask

HEAD = struct.Struct("<IIII")
"""Before each piece: how many rows, how many packed bytes, and the checksums of these bytes and of the head itself."""

FAST = 1
"""zlib's level: masks are packed well by any."""


class FinishedRows:
    """The rows of a mask from the first one on, packed in pieces; a piece that was not written whole is none."""

    def __init__(self, path: Path, width: int, dtype: type[np.uint8] | type[np.uint16]) -> None:
        """Take the path of the file, which need not be there."""
        self.path, self.width, self.dtype = path, width, np.dtype(dtype).newbyteorder("<")
        self.rows = 0
        """How many there are."""
        self._end = 0

    def resume(self) -> Any:
        """Go on with what a run before has left; return the facts that it has noted, or None if there are none."""
        try:
            with self.path.open("rb") as file:
                facts = json.loads(file.readline())
                self._end = file.tell()
                for count, _ in _pieces(file):
                    self.rows, self._end = self.rows + count, file.tell()
        except (OSError, ValueError):
            return None
        return facts

    def begin(self, facts: Mapping[str, object]) -> None:
        """Begin anew.

        Args:
            facts: What the rows belong to, as JSON can hold it.

        Raises:
            OutputError: If the place cannot be written.
        """
        make_folder(self.path.parent)
        self.rows = 0
        self._write(json.dumps(facts).encode() + b"\n", "wb")

    def append(self, mask: Mask) -> None:
        """Add rows; they are on the disk when this returns.

        Raises:
            OutputError: If the place cannot be written.
        """
        packed = zlib.compress(np.ascontiguousarray(mask, self.dtype).tobytes(), FAST)
        numbers = struct.pack("<III", len(mask), len(packed), zlib.crc32(packed))
        self._write(numbers + struct.pack("<I", zlib.crc32(numbers)) + packed, "rb+")
        self.rows += len(mask)

    def read(self, rows_at_once: int) -> Iterator[Mask]:
        """Yield all rows, so many at a time; the last are as many as there are left."""
        waiting: list[Mask] = []
        held = 0
        with self.path.open("rb") as file:
            file.readline()
            for _, packed in _pieces(file):
                piece = np.frombuffer(zlib.decompress(packed), self.dtype).reshape(-1, self.width)
                waiting, held = [*waiting, piece], held + len(piece)
                if held >= rows_at_once:
                    rows = np.concatenate(waiting)
                    whole = held // rows_at_once * rows_at_once
                    for start in range(0, whole, rows_at_once):
                        yield rows[start : start + rows_at_once]
                    waiting, held = [rows[whole:].copy()], held - whole
        if held:
            yield np.concatenate(waiting)

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)

    def _write(self, content: bytes, mode: str) -> None:
        try:
            with self.path.open(mode) as file:
                file.seek(self._end if mode == "rb+" else 0)
                file.write(content)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
                self._end = file.tell()
        except OSError as error:
            raise cannot_write(self.path, error) from error


def _pieces(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the number of rows and the packed bytes of each whole piece from here on."""
    while len(head := file.read(HEAD.size)) == HEAD.size:
        count, length, checksum, of_head = HEAD.unpack(head)
        if zlib.crc32(head[:12]) != of_head:
            return
        packed = file.read(length)
        if len(packed) < length or zlib.crc32(packed) != checksum:
            return
        yield count, packed
