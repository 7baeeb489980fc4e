"""The names of splits: `val` finds what an export calls Validation or valid."""

from collections.abc import Iterable

from atrous.config import nearest
from atrous.errors import DatasetError

EVERYTHING = "all"
"""The split that holds all pictures of a data set whose files make no splits of their own, or all of them together."""

SPLITS = ("train", "val", "test", "trainval")
OTHER_NAMES = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}


def usual_name(name: str) -> str:
    """What we call a split that others name: `Validation`, `val2017` and `valid` are `val`."""
    plain = name.lower()
    if len(plain) > 4 and plain[-4:].isdecimal():
        plain = plain[:-4].rstrip("_-")
    return OTHER_NAMES.get(plain, plain)


def find_split(asked: str, available: Iterable[str], source: str) -> str:
    """Return the name that the files have for a split: the very one, or the only one that means the same.

    Raises:
        DatasetError: If there is none, or several mean the same.
    """
    names = sorted(set(available))
    if asked in names:
        return asked
    same = [name for name in names if usual_name(name) == usual_name(asked)]
    if len(same) == 1:
        return same[0]
    if same:
        raise DatasetError(
            f"{source} has several splits that `{asked}` could be ({', '.join(same)}): name one of them."
        )
    raise DatasetError(f"{source} has no split `{asked}`: {nearest(asked, names)}.")
