"""Many names in little memory: a million of them take tens of megabytes, and not hundreds."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload


class Names(Sequence[str]):
    """A sequence of strings, kept as one text and the places where they end."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take the names in their order; they may come from a generator."""
        text = bytearray()
        ends = array("Q")
        for name in names:
            text += name.encode("utf-8", "surrogateescape")  # a file's name may be no text at all
            ends.append(len(text))
        self._text, self._ends = bytes(text), ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Names": ...
    def __getitem__(self, index: int | slice) -> "str | Names":
        if isinstance(index, slice):
            return Names(self[place] for place in range(*index.indices(len(self))))
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there is no name {index} among {len(self)}")
        start = self._ends[place - 1] if place else 0
        return self._text[start : self._ends[place]].decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends:
            yield self._text[start:end].decode("utf-8", "surrogateescape")
            start = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Names) and (self._text, self._ends) == (other._text, other._ends)

    def __hash__(self) -> int:
        return hash((self._text, len(self)))
