"""Pictures at addresses such as s3://bucket/a.jpg, through fsspec: one by one, by pattern, in folders and in tars."""

import io
import posixpath
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any, Literal

from atrous.errors import ConfigError, ImageError
from atrous.images import IMAGE_SUFFIXES

ATTEMPTS = 3
SECONDS_BETWEEN = 1.0
"""Before the second attempt; the next pause is twice as long."""

LARGEST_FILE = 2**31
"""Bytes of one picture: more than any has, and less than memory."""


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere, or a part of one, which a tar's members are; it opens like a path."""

    system: Any
    """fsspec's, which knows how to get at it."""
    place: str
    """Its path in that system."""
    address: str
    """As a user reads it."""
    part: tuple[int, int] | None = None
    """Its first byte and the one behind its last, if it is not all of the file."""

    @property
    def name(self) -> str:
        """The last part of its address."""
        return posixpath.basename(self.address)

    @property
    def stem(self) -> str:
        """The last part of its address without the suffix."""
        return posixpath.splitext(self.name)[0]

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Fetch the content.

        Raises:
            OSError: If it is not there or does not come, also when asked for again.
        """
        del mode
        return io.BytesIO(self.content())

    def content(self) -> bytes:
        """Fetch the content.

        Raises:
            OSError: If it is not there or does not come, also when asked for again.
        """
        start, stop = self.part or (None, None)
        for attempt in range(ATTEMPTS):
            try:
                content: bytes = self.system.cat_file(self.place, start=start, end=stop)
            except FileNotFoundError:
                raise
            except Exception as error:  # each kind of system has its own
                if attempt == ATTEMPTS - 1:
                    raise OSError(f"it could not be fetched: {error}") from None
                time.sleep(SECONDS_BETWEEN * 2**attempt)
            else:
                return self._whole(content)
        raise AssertionError("the last attempt returns or raises")

    def _whole(self, content: bytes) -> bytes:
        """The content itself, if it is the part that was asked for: many a web server sends all of a file instead."""
        if self.part and len(content) != self.part[1] - self.part[0]:
            raise OSError("its server does not send parts of files: fetch the archive, and give the file")
        return content

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class FetchedFile:
    """A file elsewhere whose content is here; it opens like a path."""

    origin: RemoteFile
    packed: bytes

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.origin.name

    @property
    def stem(self) -> str:
        """The last part of its address without the suffix."""
        return self.origin.stem

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Return the content as a stream."""
        del mode
        return io.BytesIO(self.packed)

    def __str__(self) -> str:
        return self.origin.address


def is_address(given: str) -> bool:
    """Whether an input lies elsewhere."""
    return "://" in given


def remote_pictures(address: str) -> list[RemoteFile]:
    """The pictures that an address names: itself, those below it, those that fit its pattern, those in its tar.

    Raises:
        ImageError: If there are none.
        ConfigError: If what reads such addresses is not installed.
    """
    if find_spec("fsspec") is None:
        raise ConfigError(f"Addresses such as {address} are read by fsspec: run `pip install 'atrous[remote]'`.")
    with _in_one_sentence(address):
        return _pictures(address)


def _pictures(address: str) -> list[RemoteFile]:
    from fsspec.core import url_to_fs

    system, place = url_to_fs(address)
    if any(sign in place for sign in "*?[") and not system.exists(place):
        files = sorted(system.glob(place))
    elif system.isdir(place):
        files = sorted(system.find(place))
    else:
        return _of_file(system, place, address)
    names = [name for name in files if name.lower().endswith((*IMAGE_SUFFIXES, ".tar"))]
    if not names:
        raise ImageError(f"There is no picture at {address}: give the address of one, of a folder or of a tar.")
    return [picture for name in names for picture in _of_file(system, name, str(system.unstrip_protocol(name)))]


def _of_file(system: Any, place: str, address: str) -> list[RemoteFile]:
    if not place.lower().endswith(".tar"):
        return [RemoteFile(system, place, address)]
    pictures = []
    with system.open(place, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if member.isreg() and member.name.lower().endswith(tuple(IMAGE_SUFFIXES)) and member.size < LARGEST_FILE:
                part = (member.offset_data, member.offset_data + member.size)
                pictures.append(RemoteFile(system, place, f"{address}/{member.name.removeprefix('./')}", part))
            archive.members = []  # type: ignore[attr-defined]  # they would be kept, all of them
    if pictures:
        pictures[0].content()  # one sentence now, where parts cannot be had, for one about each picture later
    return pictures


@contextmanager
def _in_one_sentence(address: str) -> Iterator[None]:
    try:
        yield
    except (ImageError, ConfigError):
        raise
    except ImportError as error:
        raise ConfigError(f"{address} cannot be read by what is installed here: {_flat(error)}.") from None
    except FileNotFoundError:
        raise ImageError(f"There is nothing at {address}: give another address.") from None
    except Exception as error:  # each kind of system has its own
        raise ImageError(f"{address} cannot be read ({_flat(error)}): give another address.") from None


def _flat(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
