"""Large JSON files in little memory: where each entry of the lists at their top stands, and under which number.

COCO keeps the annotations of all pictures in one file, of half a gigabyte and a million entries. Only the places of the
entries are kept; each is read when it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.data.file_tree import LARGEST_FILE, FileTree
from atrous.data.records import parse_json
from atrous.errors import DatasetError

NO_NUMBER = np.iinfo(np.int64).min
"""Stands where an entry does not have the number that was looked for, or has something else under its name."""
QUOTE, BACKSLASH, COLON, LIST, END_OF_LIST, TABLE, END_OF_TABLE = b'"\\:[]{}'


class Content:
    """The bytes of a file; of one on disk only what is looked at is in memory."""

    def __init__(self, tree: FileTree, name: str) -> None:
        """Take the file; it is opened when it is first looked at, in each process for itself.

        Raises:
            DatasetNotFoundError: If it is not there.
        """
        self.tree, self.name, self.source = tree, name, str(tree.file(name))
        self._bytes: NDArray[np.uint8] | None = None
        if not tree.has_file(name):
            tree.read(name)

    @property
    def values(self) -> NDArray[np.uint8]:
        """uint8 [N], not to be written to."""
        if self._bytes is None:
            file = self.tree.file(self.name)
            if isinstance(file, Path) and 0 < file.stat().st_size <= LARGEST_FILE:
                self._bytes = np.memmap(file, np.uint8, "r")
            else:
                self._bytes = np.frombuffer(self.tree.read(self.name), np.uint8)
        return self._bytes

    def part(self, start: int, end: int) -> bytes:
        """The bytes from one place up to another."""
        return self.values[start:end].tobytes()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_bytes": None}


@dataclass(frozen=True)
class Section:
    """One list of entries at the top of a JSON file."""

    content: Content
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    ids: NDArray[np.int64]
    """The number `id` of each entry, or NO_NUMBER."""
    image_ids: NDArray[np.int64]
    """The number `image_id` of each entry, or NO_NUMBER."""

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, index: int) -> bytes:
        """An entry as it stands in the file."""
        return self.content.part(int(self.starts[index]), int(self.ends[index]))

    def read(self, index: int) -> Any:
        """Read an entry.

        Raises:
            DatasetError: If it is no JSON.
        """
        return parse_json(self.raw(index), self.content.source)


def json_sections(tree: FileTree, name: str) -> Mapping[str, Section]:
    """Find the lists at the top of a JSON file, by their names.

    Raises:
        DatasetError: If the file is missing, or is cut off or no table of lists.
    """
    content = Content(tree, name)
    whole, names, entries = _scan(content.values, np.frombuffer(b"id", np.uint8), np.frombuffer(b"image_id", np.uint8))
    if not whole:
        raise DatasetError(
            f"{content.source} is no JSON with lists of images and annotations, or is cut off: get a whole copy."
        )
    sections = {}
    for place, (start, end) in enumerate(names):
        of_this = entries[entries[:, 0] == place]
        _, starts, ends, ids, image_ids = (np.ascontiguousarray(column) for column in of_this.T)
        sections[content.part(start, end).decode("utf-8", "replace")] = Section(content, starts, ends, ids, image_ids)
    return sections


@njit(cache=True, nogil=True)
def _scan(text, name_of_id, name_of_image_id):  # type: ignore[no-untyped-def]  # numba
    """Go through a JSON text once, counting brackets outside of strings.

    Returns:
        Whether all that opens is closed; int64 [S, 2], where the name of each list stands; int64 [E, 5], of each table
        in these lists the list, start, end, `id` and `image_id`.
    """
    lists, entries = np.empty((16, 2), np.int64), np.empty((1024, 5), np.int64)
    list_count = entry_count = depth = 0
    is_table = np.zeros(64, np.bool_)  # of the levels around the current place
    name_start = name_end = string_start = 0
    in_list = False
    matters = np.zeros(256, np.bool_)
    for byte in (QUOTE, COLON, LIST, END_OF_LIST, TABLE, END_OF_TABLE):
        matters[byte] = True
    place, length = 0, len(text)
    while True:
        while place < length and not matters[text[place]]:  # nearly all bytes are digits and commas
            place += 1
        if place >= length:
            break
        byte = text[place]
        if byte == QUOTE:
            string_start = place + 1
            place = _end_of_string(text, string_start)
            if place >= length:
                return False, lists[:0], entries[:0]
        elif byte == COLON:  # the string before it was a name
            if depth == 1:
                name_start, name_end = string_start, _end_of_string(text, string_start)
            elif depth == 3 and in_list:
                name_length = _end_of_string(text, string_start) - string_start
                if _is_at(text, string_start, name_length, name_of_id):
                    entries[entry_count, 3] = _number(text, place + 1)
                elif _is_at(text, string_start, name_length, name_of_image_id):
                    entries[entry_count, 4] = _number(text, place + 1)
        elif byte in (TABLE, LIST):
            if depth >= 63 or (depth == 0 and byte == LIST):
                return False, lists[:0], entries[:0]
            if depth == 1:
                in_list = byte == LIST
                if in_list:
                    lists = _with_room(lists, list_count)
                    lists[list_count] = name_start, name_end
                    list_count += 1
            elif depth == 2 and in_list and byte == TABLE:
                entries = _with_room(entries, entry_count)
                entries[entry_count] = list_count - 1, place, place, NO_NUMBER, NO_NUMBER
            is_table[depth] = byte == TABLE
            depth += 1
        elif byte in (END_OF_TABLE, END_OF_LIST):
            depth -= 1
            if depth < 0 or is_table[depth] != (byte == END_OF_TABLE):
                return False, lists[:0], entries[:0]
            if depth == 2 and in_list and byte == END_OF_TABLE:
                entries[entry_count, 2] = place + 1
                entry_count += 1
        place += 1
    return depth == 0 and length > 0, lists[:list_count], entries[:entry_count]


@njit(cache=True, nogil=True)
def _with_room(rows, count):  # type: ignore[no-untyped-def]  # numba
    """A table that has room for one row more than so many: the same one, or one twice as long."""
    return rows if count < len(rows) else np.concatenate((rows, np.empty_like(rows)))


@njit(cache=True, nogil=True)
def _end_of_string(text, start):  # type: ignore[no-untyped-def]  # numba
    """The place of the quote that no odd number of backslashes stands before."""
    place = start
    while place < len(text) and text[place] != QUOTE:
        place += 2 if text[place] == BACKSLASH else 1
    return place


@njit(cache=True, nogil=True)
def _is_at(text, start, length, name):  # type: ignore[no-untyped-def]  # numba
    if length != len(name):
        return False
    for offset in range(length):  # noqa: SIM110 - numba knows no `all`
        if text[start + offset] != name[offset]:
            return False
    return True


@njit(cache=True, nogil=True)
def _number(text, place):  # type: ignore[no-untyped-def]  # numba
    """The whole number that stands behind a place, of at most 18 digits; or NO_NUMBER."""
    while place < len(text) and text[place] <= 32:
        place += 1
    negative = place < len(text) and text[place] == 45
    place += negative
    number = digits = 0
    while place < len(text) and 48 <= text[place] <= 57 and digits < 19:
        number = 10 * number + int(text[place]) - 48
        digits += 1
        place += 1
    if digits == 0 or digits > 18 or (place < len(text) and text[place] in (46, 69, 101)):  # 1.5, 1e3
        return NO_NUMBER
    return -number if negative else number
