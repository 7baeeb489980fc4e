"""Data sets that come in several archives: each part is found wherever it lies below one place, unpacked or not."""

import os
from collections.abc import Sequence
from pathlib import Path

from atrous.data.archives import ARCHIVE_SUFFIXES
from atrous.data.file_tree import FileTree
from atrous.data.opening import open_tree
from atrous.errors import DatasetNotFoundError


def find_part(root: Path, *markers: str) -> FileTree | None:
    """The files around the first of several files or folders that is found, or none.

    Looked through are the folder or archive itself, then the archives that lie in the folder, by name.

    Args:
        root: A folder or an archive.
        markers: Paths that the part has, such as `ImageSets/Segmentation`.

    Raises:
        DatasetError: If there is nothing at `root`, or an archive is damaged.
    """
    trees = [open_tree(root), *(open_tree(path) for path in _archives_in(root))]
    for marker in markers:
        for tree in trees:
            if found := tree.folder_with(marker):
                return found
    return None


def require_part(root: Path, title: str, way_out: str, *markers: str) -> FileTree:
    """The same, or an error that says how to get the data set.

    Args:
        root: A folder or an archive.
        title: Of the data set.
        way_out: What to do where it is not there, as in "Run `atrous data download voc DIR`".
        markers: Paths that the part has.

    Raises:
        DatasetNotFoundError: If none of them is found.
        DatasetError: If an archive is damaged.
    """
    if part := find_part(root, *markers):
        return part
    raise DatasetNotFoundError(not_found(root, title, way_out, markers))


def not_found(root: Path, title: str, way_out: str, markers: Sequence[str]) -> str:
    """The sentence for a data set that is not there."""
    return (
        f"No {title} in {root}: it has no {' and no '.join(markers)}. {way_out}, or give the folder or archive that "
        "contains it."
    )


def _archives_in(root: Path) -> list[Path]:
    if not os.path.isdir(root):
        return []
    return sorted(path for path in root.iterdir() if path.suffix.lower() in ARCHIVE_SUFFIXES and path.is_file())
