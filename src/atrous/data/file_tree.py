"""Files by their path below one place, wherever they lie: in a folder, in a zip or in a tar, which are read in place.

Nothing is ever unpacked to a path that an archive names, links are passed over, and no file of a claimed size beyond
reason is read.
"""

import io
import os
import posixpath
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from atrous.data.split_names import SPLITS, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError

LARGEST_FILE = 2**31
"""Bytes of one file in an archive: more than any picture or list of annotations has, and less than memory."""

ARCHIVE_SUFFIXES = (".zip", ".tar")


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


@dataclass(frozen=True)
class PackedFile:
    """A file inside an archive; it opens like a path."""

    archive: "Archive"
    path: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def stem(self) -> str:
        """The last part of the path without its suffix."""
        return posixpath.splitext(self.name)[0]

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Return the content as a stream.

        Raises:
            FileNotFoundError: If the archive has no such file.
            OSError: If it is damaged, locked, or larger than 2 GiB.
        """
        del mode
        return io.BytesIO(self.archive.content(self.path))

    def __str__(self) -> str:
        return f"{self.archive.place}/{self.path}"


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


class Archive(FileTree):
    """The files in a zip or tar; each process opens it for itself, and threads take turns."""

    def __init__(self, path: Path) -> None:
        """Read the list of what is in it.

        Raises:
            DatasetError: If it is damaged.
        """
        self.path, self.place = path, str(path)
        self._opened: tuple[int, zipfile.ZipFile | IO[bytes]] | None = None
        self._turn = threading.Lock()
        try:
            self._files = self._list()
        except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, ValueError, NotImplementedError) as error:
            raise DatasetError(f"{path} is a damaged archive ({error}): get a whole copy of it.") from None
        self._folders = {""} | {folder for name in self._files for folder in _folders_above(name)}

    @abstractmethod
    def _list(self) -> dict[str, tuple[int, int]]:
        """Each file with two numbers by which it is found."""

    @abstractmethod
    def _read(self, name: str) -> bytes:
        """The content of a file that is there."""

    def content(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: If there is none.
            OSError: If it is damaged, locked, or larger than 2 GiB.
        """
        if name not in self._files:
            raise FileNotFoundError(name)
        try:
            with self._turn:
                return self._read(name)
        except (EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, ValueError) as error:
            raise OSError(f"the archive is damaged or locked there: {error}") from None

    def walk(self, under: str = "") -> Iterator[str]:
        """Yield the files below a folder."""
        prefix = f"{under}/" if under else ""
        for name in self._files:
            if name.startswith(prefix):
                yield name

    def file(self, name: str) -> PackedFile:
        """The file inside the archive."""
        return PackedFile(self, inside(name, self.place))

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._files

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return name in self._folders

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_opened", "_turn")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._opened, self._turn = None, threading.Lock()


class Zip(Archive):
    """The files in a zip."""

    def _list(self) -> dict[str, tuple[int, int]]:
        files = {}
        with zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                if not info.is_dir() and _is_listed(info.filename):
                    files[info.filename] = (info.header_offset, info.file_size)
        return files

    def _read(self, name: str) -> bytes:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), zipfile.ZipFile(self.path))
        archive = self._opened[1]
        assert isinstance(archive, zipfile.ZipFile)
        with archive.open(name) as stream:
            content = stream.read(LARGEST_FILE + 1)  # the claimed size may lie
        if len(content) > LARGEST_FILE:
            raise ValueError("it unpacks to more than 2 GiB")
        return content


class Tar(Archive):
    """The files in a tar that is not compressed: a compressed one has no beginning of each file that can be found."""

    def _list(self) -> dict[str, tuple[int, int]]:
        files = {}
        with tarfile.open(self.path, "r:") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isreg() and _is_listed(name):
                    files[name] = (member.offset_data, member.size)
                archive.members = []  # type: ignore[attr-defined]  # they would be kept, all of them
        return files

    def _read(self, name: str) -> bytes:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self.path.open("rb"))
        stream = self._opened[1]
        assert not isinstance(stream, zipfile.ZipFile)
        start, size = self._files[name]
        if size > LARGEST_FILE:
            raise ValueError("it has more than 2 GiB")
        stream.seek(start)
        content = stream.read(size)
        if len(content) < size:
            raise EOFError("it ends too early")
        return content


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

    def file(self, name: str) -> Path | PackedFile:
        """The file in the other tree."""
        return self._tree.file(self._prefix + inside(name, self.place))

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._tree.has_file(self._prefix + name)

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return self._tree.has_folder((self._prefix + name).rstrip("/"))


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


def inside(name: str, place: str) -> str:
    """Return a path in its plain form.

    Raises:
        DatasetError: If it leads out of the place below which it stands.
    """
    plain = posixpath.normpath(name.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or plain[1:2] == ":" or "\0" in plain:
        raise DatasetError(f"{place} names a file {name!r}, which lies outside of it: nothing there is read.")
    return plain


def _is_plain_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except (tarfile.TarError, OSError, EOFError):
        return False


def _is_listed(name: str) -> bool:
    """Whether a name in an archive is one that a folder could have, and is not hidden."""
    parts = name.split("/")
    return not any(part.startswith(".") or part in ("", "__MACOSX") for part in parts) and "\0" not in name


def _folders_above(name: str) -> Iterator[str]:
    place = name.rfind("/")
    while place > 0:
        yield name[:place]
        place = name.rfind("/", 0, place)
