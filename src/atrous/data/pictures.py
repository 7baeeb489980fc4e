"""The pictures that annotations name: found by their name, never by their number."""

import posixpath
from collections.abc import Iterable, Sequence

from atrous.data.file_tree import FileTree
from atrous.errors import DatasetError
from atrous.images import IMAGE_SUFFIXES


def is_picture(name: str) -> bool:
    """Whether a path ends like that of a picture."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def picture_folders(tree: FileTree, under: str = "") -> list[str]:
    """The folders that hold pictures, sorted; the place itself is the empty one."""
    return sorted({posixpath.dirname(name) for name in tree.walk(under) if is_picture(name)})


def find_picture(tree: FileTree, name: str, first: Iterable[str], others: Sequence[str], source: str) -> str:
    """Return the path of the picture that an annotation names.

    Args:
        tree: All files.
        name: The picture's path as the annotation has it.
        first: The folders where it should be, in this order.
        others: Folders where it may be instead; there the name must be found once only.
        source: The annotation, for messages.

    Raises:
        DatasetError: If it is nowhere, or in several folders.
    """
    path = plain(name)
    for folder in first:
        if tree.has_file(posixpath.join(folder, path)):
            return posixpath.join(folder, path)
    found = sorted({posixpath.join(folder, path) for folder in others if tree.has_file(posixpath.join(folder, path))})
    if len(found) > 1:
        raise DatasetError(f"{source} names the picture {name}, which could be {' or '.join(found)}: keep one of them.")
    if not found:
        raise DatasetError(
            f"{source} names the picture {name}, which is not in {tree.place}: add it, or take the annotation out."
        )
    return found[0]


def plain(name: str) -> str:
    """A path that cannot lead out of a folder: without drive, root and steps upwards."""
    parts = name.replace("\\", "/").split("/")
    kept = [part for part in parts if part not in ("", ".", "..") and not part.endswith(":")]
    return "/".join(kept).replace("\0", "")
