"""Files in a zip or in a tar, which are read in place.

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
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from atrous.data.file_tree import LARGEST_FILE, FileTree, inside
from atrous.errors import DatasetError

ARCHIVE_SUFFIXES = (".zip", ".tar")


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


def _is_listed(name: str) -> bool:
    """Whether a name in an archive is one that a folder could have, and is not hidden."""
    parts = name.split("/")
    return not any(part.startswith(".") or part in ("", "__MACOSX") for part in parts) and "\0" not in name


def _folders_above(name: str) -> Iterator[str]:
    place = name.rfind("/")
    while place > 0:
        yield name[:place]
        place = name.rfind("/", 0, place)
