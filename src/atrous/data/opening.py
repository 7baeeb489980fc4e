"""Any place as one tree of files: a folder, a zip or a tar."""

import os
import tarfile
import zipfile
from pathlib import Path

from atrous.data.archives import Archive, Tar, Zip
from atrous.data.file_tree import FileTree, Folder, Subtree
from atrous.data.split_names import SPLITS, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError


def open_tree(path: Path) -> FileTree:
    """Open a folder, a zip or a tar.

    Raises:
        DatasetNotFoundError: If there is nothing.
        DatasetError: If it is a file of another kind, or a damaged archive.
    """
    if os.path.isdir(path):  # unlike Path.is_dir, it answers for names that are too long, too
        return Folder(path)
    if not os.path.exists(path):
        raise DatasetNotFoundError(f"There is no {path}: give the folder or the archive that holds the data set.")
    if zipfile.is_zipfile(path):
        return Zip(path)
    if _is_plain_tar(path):
        return Tar(path)
    raise DatasetError(
        f"{path} is no folder, zip or tar: give one of them; unpack a compressed tar (.tgz, .tar.gz) first, for its "
        "files cannot be found one by one."
    )


def open_unwrapped(path: Path) -> FileTree:
    """Open a folder, a zip or a tar; of an archive in which one folder holds all else, as most programs pack it, that.

    A folder that is called as a split is, says what is in it, and stays.

    Raises:
        DatasetNotFoundError, DatasetError: As for `open_tree`.
    """
    tree = open_tree(path)
    while isinstance(tree, Archive | Subtree):
        tops = {name.partition("/")[0] for name in tree.walk()}
        top = tops.pop() if len(tops) == 1 else ""
        if not tree.has_folder(top) or not top or usual_name(top) in SPLITS:
            break
        tree = tree.below(top)
    return tree


def _is_plain_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except (tarfile.TarError, OSError, EOFError):
        return False
