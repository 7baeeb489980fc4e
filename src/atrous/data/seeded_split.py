"""A split for data sets that have none: drawn from a seed, the same on every machine, and always stated."""

import hashlib
from collections.abc import Sequence

from atrous.config import nearest
from atrous.errors import DatasetError

DRAWN_SPLITS = ("train", "val")

VAL_PERCENT = 15

NO_SPLIT = " (no split of its own"


def draw_split(names: Sequence[str], split: str, seed: int, source: str) -> list[int]:
    """Return the places of the names that fall into a split: 15 % into val, the others into train, at least one each.

    The names are ordered by a hash of seed and name, and the first of them are val. So a picture more or less moves
    hardly any other from one split to the other.

    Returns:
        Places in `names`, ascending.

    Raises:
        DatasetError: If there is no such split, or there are fewer than two names.
    """
    if split not in DRAWN_SPLITS:
        raise DatasetError(f"{source} has no split `{split}`: {nearest(split, DRAWN_SPLITS)}, drawn from a seed.")
    ordered = sorted(range(len(names)), key=lambda place: (_hash(seed, names[place]), names[place]))
    if len(ordered) < 2:
        raise DatasetError(f"{source} has {len(ordered)} pictures, too few to draw a split: add some.")
    first = max(1, round(len(ordered) * VAL_PERCENT / 100))
    return sorted(ordered[:first] if split == "val" else ordered[first:])


def stated(title: str, seed: int) -> str:
    """The title of a data set with what its split is."""
    return f"{title}{NO_SPLIT}: {100 - VAL_PERCENT} % train and {VAL_PERCENT} % val drawn with seed {seed})"


def without_split(title: str) -> str:
    """The title of a data set without what `stated` says."""
    return title.partition(NO_SPLIT)[0]


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
