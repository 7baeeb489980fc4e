"""Files by their path below one place, wherever they lie: in a folder of the disk, or in an archive."""

import os
import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from atrous.data.archives import PackedFile

LARGEST_FILE = 2**31
"""Bytes of one file in an archive: more than any picture or list of annotations has, and less than memory."""


class FileTree(ABC):
    """Read-only files, each by its path below one place; parts of a path are separated by `/`."""

    place: str
    """The place itself, for messages."""

    @abstractmethod
    def walk(self, under: str = "") -> Iterator[str]:
        """Yield the path of every file below a folder, in no order; hidden files and folders are passed over."""

    @abstractmethod
    def file(self, name: str) -> "Path | PackedFile":
        """Return a file, which need not be there, as the readers of pictures take it.

        Raises:
            DatasetError: If the path leads out of the place.
        """

    @abstractmethod
    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            DatasetNotFoundError: If there is none.
            DatasetError: If it cannot be read or is larger than 2 GiB.
        """
        file = self.file(name)
        try:
            with file.open("rb") as stream:
                content = stream.read(LARGEST_FILE + 1)
        except FileNotFoundError:
            raise DatasetNotFoundError(f"There is no file {file}: put it there, or give another folder.") from None
        except OSError as error:
            raise DatasetError(f"{file} cannot be read ({error.strerror or error}): get a whole copy of it.") from None
        if len(content) > LARGEST_FILE:
            raise DatasetError(f"{file} has more than 2 GiB, which no file of a data set needs: give the right one.")
        return content

    def read_text(self, name: str) -> str:
        """Return the content of a text file in UTF-8, with or without a mark at its start.

        Raises:
            DatasetError: If it cannot be read or is no text.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DatasetError(f"{self.file(name)} is no text in UTF-8: save it as that.") from None

    def below(self, folder: str) -> "FileTree":
        """The files below one of the folders."""
        return Subtree(self, folder) if folder not in ("", ".") else self

    def folder_with(self, marker: str) -> "FileTree | None":
        """The files below the folder, nearest to the place, that holds a file or folder of this path; or none.

        So `VOCdevkit/VOC2012` is found in an archive, whatever is wrapped around it.
        """
        if self.has_file(marker) or self.has_folder(marker):
            return self
        around = {name[: place + 1] for name in self.walk() if (place := _place_of(marker, name)) >= 0}
        return self.below(min(around, key=lambda folder: (folder.count("/"), folder)).rstrip("/")) if around else None


def _place_of(marker: str, name: str) -> int:
    """The place of the `/` before a marker in a path, or -1."""
    return f"{name}/".find(f"/{marker}/")


class Folder(FileTree):
    """The files below a folder of the disk."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it is not looked into yet."""
        self.root, self.place = root, str(root)

    def walk(self, under: str = "") -> Iterator[str]:
        """Yield the files below; a folder that is not there has none."""
        waiting = [under]
        while waiting:
            folder = waiting.pop()
            try:
                entries = os.scandir(self.root / folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            with entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir():
                        waiting.append(path)
                    elif entry.is_file():
                        yield path

    def file(self, name: str) -> Path:
        """The path on disk."""
        return self.root / inside(name, self.place)

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(self.root / name)

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return os.path.isdir(self.root / name)


class Subtree(FileTree):
    """The files below one folder of another tree."""

    def __init__(self, tree: FileTree, folder: str) -> None:
        """Take the folder, which need not be there."""
        self._tree, self._prefix = tree, f"{folder}/"
        self.place = f"{tree.place}/{folder}"

    def walk(self, under: str = "") -> Iterator[str]:
        """Yield the files below, without the folder's own path."""
        for name in self._tree.walk((self._prefix + under).rstrip("/")):
            yield name.removeprefix(self._prefix)

    def file(self, name: str) -> "Path | PackedFile":
        """The file in the other tree."""
        return self._tree.file(self._prefix + inside(name, self.place))

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._tree.has_file(self._prefix + name)

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return self._tree.has_folder((self._prefix + name).rstrip("/"))


def inside(name: str, place: str) -> str:
    """Return a path in its plain form.

    Raises:
        DatasetError: If it leads out of the place below which it stands.
    """
    plain = posixpath.normpath(name.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or plain[1:2] == ":" or "\0" in plain:
        raise DatasetError(f"{place} names a file {name!r}, which lies outside of it: nothing there is read.")
    return plain
