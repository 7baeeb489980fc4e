"""Splits that are lists of names, and the files that belong to each name."""

import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, overload

from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.pairs import ImageMaskPair, Pairs
from atrous.errors import DatasetError


class Place(NamedTuple):
    """Where the file of a name is: `Place(tree, "JPEGImages/{}.jpg")`."""

    tree: FileTree
    path: str

    def of(self, name: str) -> str:
        """The path of a name's file in the tree."""
        return self.path.format(name)


class Found(NamedTuple):
    """The pairs that a list names, and how many of the list are not there."""

    pairs: Pairs
    missing: int

    def stated(self, title: str) -> str:
        """The title, with what is missing."""
        listed = len(self.pairs) + self.missing
        return f"{title} ({len(self.pairs)} of {listed} listed pictures)" if self.missing else title


def read_names(tree: FileTree, path: str) -> list[str]:
    """Read the lines of a text file; empty ones and those that begin with # are passed over.

    Raises:
        DatasetNotFoundError: If there is no such file.
        DatasetError: If it cannot be read or names something twice.
    """
    lines = [line.strip() for line in tree.read_text(path).splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise DatasetError(f"{tree.file(path)} lists {twice} twice: take one of the two lines out.")
    return names


def listed_pairs(names: Iterable[str], images: Place, masks: Place, source: str, *, subset: bool = False) -> Found:
    """Pair the files of each name.

    Args:
        names: In the order of the pairs.
        images: Where the pictures are.
        masks: Where the masks are.
        source: What lists the names, for messages.
        subset: Leave out names of which a file is missing, instead of refusing them.

    Raises:
        DatasetError: If a file is missing and no subset was asked for.
    """
    listed = list(names)
    there = [name for name in listed if images.tree.has_file(images.of(name)) and masks.tree.has_file(masks.of(name))]
    missing = len(listed) - len(there)
    if missing and not subset:
        first = next(name for name in listed if name not in set(there))
        raise DatasetError(_sentence(first, missing, images, masks, source))
    pairs = Pairs(images.tree, Names(map(images.of, there)), masks.tree, Names(map(masks.of, there)))
    return Found(pairs, missing)


class JoinedPairs(Sequence[ImageMaskPair]):
    """Several sequences of pairs, one behind the other."""

    def __init__(self, *parts: Sequence[ImageMaskPair]) -> None:
        """Take the parts in their order."""
        self._parts = parts
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> ImageMaskPair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageMaskPair]: ...
    def __getitem__(self, index: int | slice) -> ImageMaskPair | Sequence[ImageMaskPair]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        part = bisect.bisect_right(self._ends, place)
        return self._parts[part][place - (self._ends[part - 1] if part else 0)]


def _sentence(name: str, missing: int, images: Place, masks: Place, source: str) -> str:
    place, what = (masks, "mask") if images.tree.has_file(images.of(name)) else (images, "picture")
    others = f" (and so for {missing - 1} more of the list)" if missing > 1 else ""
    return (
        f"{source} lists {name}, but its {what} {place.tree.file(place.of(name))} is not there{others}: give the whole "
        "data set, or choose `subset: true` to use the part that is there."
    )
