"""Files that lie inside of other files, such as pictures in JSON."""

import base64
import binascii
import io
import zlib
from dataclasses import dataclass
from typing import IO, Literal

from atrous.errors import DatasetError

LARGEST = 2**28
"""Bytes that a packed mask may unpack to."""


@dataclass(frozen=True)
class EmbeddedFile:
    """The content of a file; it opens like a path."""

    content: bytes
    source: str
    """Where it stands, for messages."""
    name: str
    """How the file would be called."""

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name.rpartition(".")[0] or self.name

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Return the content as a stream."""
        del mode
        return io.BytesIO(self.content)

    def __str__(self) -> str:
        return f"{self.source} ({self.name})"


def from_base64(text: str, source: str) -> bytes:
    """Decode base64, with or without the `data:` in front that browsers write.

    Raises:
        DatasetError: If it is none.
    """
    try:
        return base64.b64decode(text.rpartition("base64,")[2], validate=False)
    except (binascii.Error, ValueError) as error:
        raise DatasetError(
            f"{source} holds bytes in base64 that cannot be decoded ({error}): export it again."
        ) from None


def inflated(content: bytes, source: str) -> bytes:
    """Unpack zlib's bytes.

    Raises:
        DatasetError: If they are damaged or unpack to more than any mask.
    """
    unpacking = zlib.decompressobj()
    try:
        unpacked = unpacking.decompress(content, LARGEST)
    except zlib.error as error:
        raise DatasetError(f"{source} holds packed bytes that are damaged ({error}): export it again.") from None
    if not unpacking.eof:
        raise DatasetError(f"{source} holds packed bytes that are cut off or unpack to too many: export it again.")
    return unpacked
