"""How many bytes a video file says that it has: more than there are, and it was cut off."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

EBML = b"\x1a\x45\xdf\xa3"
"""How Matroska and WebM begin (RFC 8794, section 11.2.1)."""
SEGMENT = b"\x18\x53\x80\x67"
"""What holds all the rest of them (RFC 9559, section 5.1)."""


def stated_length(path: Path) -> int | None:
    """Return the bytes that the file should have by its own account; None where it gives none.

    ISO files (MP4, MOV) state the size of each of their boxes, AVI that of its RIFF chunks, Matroska that of its
    segment, unless it was written to where nobody could go back.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _end_of_last(_boxes(file))
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            return _end_of_last(_riff_chunks(file))
        if head[:4] == EBML:
            return _end_of_segment(file)
    return None


def _end_of_last(ends: Iterator[int]) -> int | None:
    last = None
    for last in ends:  # noqa: B007 - the last one is what is asked for
        pass
    return last


def _boxes(file: IO[bytes]) -> Iterator[int]:
    """Where each box on the uppermost level ends (ISO/IEC 14496-12, section 4.2)."""
    end = 0
    while len(head := file.read(16)) >= 8:
        size = int.from_bytes(head[:4])
        if size == 1:  # the true one follows
            size = int.from_bytes(head[8:16])
        if size < 8:  # 0: as far as the file reaches
            return
        end += size
        yield end
        file.seek(end)


def _riff_chunks(file: IO[bytes]) -> Iterator[int]:
    """Where each RIFF chunk ends; an AVI of more than a gigabyte has several."""
    end = 0
    while len(head := file.read(8)) == 8 and head[:4] == b"RIFF":
        size = int.from_bytes(head[4:], "little")
        end += 8 + size + size % 2
        yield end
        file.seek(end)


def _end_of_segment(file: IO[bytes]) -> int | None:
    while len(name := file.read(4)) == 4:
        size = _variable_size(file)
        if size is None:
            return None
        if name == SEGMENT:
            return file.tell() + size
        file.seek(size, 1)
    return None


def _variable_size(file: IO[bytes]) -> int | None:
    """A size whose first byte tells how long it is; None where all bits are set, which means unknown (RFC 8794, 4)."""
    first = file.read(1)
    if not first or first == b"\x00":
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1)) & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value
