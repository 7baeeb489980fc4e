"""MATLAB's files of version 5, in which some data sets keep their masks; read without trust in what they claim.

Source: MathWorks, "MAT-File Format", the chapter on level 5: a header of 128 bytes, then elements with their type and
their number of bytes; an element may be packed by zlib, and a matrix consists of elements.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from atrous.errors import DatasetError, MaskError
from atrous.images import ReadableFile
from atrous.labels import Mask

HEADER = 128
LARGEST = 2**30
"""Bytes, packed or not: more than any mask or list of names has."""
DEEPEST = 16

PACKED, MATRIX = 15, 14
CELL, STRUCT, OBJECT, SPARSE = 1, 2, 3, 5


def read_mat(file: ReadableFile, key: str) -> Any:
    """Read one variable of a MATLAB file as scipy gives it: a numpy array; of cells, of structs, or of numbers.

    Raises:
        DatasetError: If the file is missing, damaged or of another version, or has no such variable.
    """
    from scipy.io import loadmat

    content = _content(file)
    try:
        variables = loadmat(io.BytesIO(_unpacked(content)), variable_names=[key])
    except Exception as error:  # damaged bytes make its reader raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{file} is damaged or cut off ({reason}): get a whole copy of it.") from None
    if key not in variables:
        raise DatasetError(f"{file} has no variable `{key}`, which was expected in it: give the data set's own files.")
    return variables[key]


def mat_mask(values: Any, file: ReadableFile) -> Mask:
    """Take a matrix of class indices as a mask.

    Returns:
        uint8 [H, W], or uint16 where a value is above 255.

    Raises:
        MaskError: If it is no matrix of whole numbers from 0 to 65535.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "buif" or not array.size:
        raise MaskError(f"{file} holds no matrix of numbers where a mask was expected: give the data set's own files.")
    if not 0 <= array.min() <= array.max() <= 65535 or (array.dtype.kind == "f" and (array != np.floor(array)).any()):
        raise MaskError(
            f"{file} holds values that are no class indices from 0 to 65535: give the data set's own files."
        )
    return array.astype(np.uint8 if array.max() <= 255 else np.uint16)


def strings_of(cells: Any, file: ReadableFile) -> list[str]:
    """The strings in an array of cells, in its order.

    Raises:
        DatasetError: If it is none.
    """
    names = [str(cell.item()) if getattr(cell, "size", 0) == 1 else "" for cell in np.asarray(cells, object).ravel()]
    if not names or not all(names):
        raise DatasetError(f"{file} holds no list of names where one was expected: give the data set's own files.")
    return names


def _content(file: ReadableFile) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror or error}): put the file back.") from None
    if content.startswith(b"MATLAB 7.3"):
        raise DatasetError(f"{file} is of MATLAB 7.3, an HDF5 file: save it again in MATLAB with the option -v7.")
    if not content.startswith(b"MATLAB 5.0") or len(content) > LARGEST:
        raise DatasetError(f"{file} is no file of MATLAB 5 to 7: give the data set's own files.")
    return content


def _unpacked(content: bytes) -> bytes:
    """The same file with nothing packed, and nothing in it that claims more than is there.

    Raises:
        ValueError: If it is damaged or unpacks to more than `LARGEST`.
    """
    order = "<" if content[126:128] == b"IM" else ">"
    parts, room = [content[:HEADER]], LARGEST
    for kind, start, end in _elements(content, HEADER, len(content), order):
        if kind == PACKED:
            unpacking = zlib.decompressobj()
            part = unpacking.decompress(content[start:end], room)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ValueError("it is too large or its end is missing")
        else:
            part = struct.pack(order + "II", kind, end - start) + content[start:end]
        _require_plausible(part, 0, len(part), order, 0)
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _elements(content: bytes, start: int, end: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Yield (type, start, end) of each element between two places.

    Raises:
        ValueError: If one reaches beyond the end.
    """
    while start + 8 <= end:
        kind, size = struct.unpack_from(order + "II", content, start)
        if kind >> 16:  # so small that it stands in its own tag
            kind, size, first, after = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        else:
            first = start + 8
            after = first + size + (0 if kind == PACKED else -size % 8)
        if first + size > end:
            raise ValueError("it ends too early")
        yield kind, first, first + size
        start = after


def _require_plausible(content: bytes, start: int, end: int, order: str, depth: int) -> None:
    """Refuse matrices that claim more entries than they have bytes: room for them would be made before they are read.

    Raises:
        ValueError: If one does, or they lie too deep in each other.
    """
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    for kind, first, last in _elements(content, start, end, order):
        if kind != MATRIX or first == last:
            continue
        inner = list(_elements(content, first, last, order))
        (_, flags, _), (_, sizes, sizes_end) = inner[0], inner[1]
        matrix = struct.unpack_from(order + "I", content, flags)[0] & 0xFF
        entries = math.prod(struct.unpack(f"{order}{(sizes_end - sizes) // 4}i", content[sizes:sizes_end]))
        smallest = 8 if matrix in (CELL, STRUCT, OBJECT) else 1
        if matrix != SPARSE and not 0 <= entries * smallest <= last - first:
            raise ValueError(f"it claims {entries} entries in {last - first} bytes")
        _require_plausible(content, first, last, order, depth + 1)
