"""Zips and tars of strangers: only the files that are wanted, and none anywhere but where they shall go."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from atrous.errors import CheckpointError
from atrous.files import cannot_write

LARGEST = 2**33
"""Bytes of all wanted files together; the largest released model has a tenth of it."""
STEP = 2**20

DAMAGED = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Python's readers of archives raise when their bytes make no sense."""


def unpack(archive: Path, pattern: str, folder: Path) -> list[Path]:
    """Write the plain files of a zip or tar whose names, without their folders, fit a pattern.

    Links, devices and paths that lead elsewhere mean nothing here: a file goes into `folder` under its bare name, and
    of several with one name the first is taken.

    Args:
        archive: A .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz file.
        pattern: Such as `*.ckpt*`.
        folder: It must exist.

    Returns:
        The files that were written, in the order of the archive.

    Raises:
        CheckpointError: If the archive is damaged, holds no such file, or would unpack to more than 8 GiB.
        OutputError: If the folder cannot be written.
    """
    written: list[Path] = []
    budget = LARGEST
    try:
        for path, content in _files(archive):
            target = folder / path.rpartition("/")[2]
            if fnmatchcase(target.name, pattern) and not target.name.startswith(".") and target not in written:
                budget = _write(content, target, budget, archive)
                written.append(target)
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{archive} is damaged ({reason}): remove it, and it is fetched again.") from None
    if not written:
        raise CheckpointError(f"{archive} holds no {pattern}: it is not the archive that was expected.")
    return written


def _files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files of an archive, one after the other, with their paths in it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    with opened.open(info) as content:
                        yield info.filename, content
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            content_or_none = tar.extractfile(member) if member.isreg() else None
            if content_or_none is not None:
                yield member.name, content_or_none


def _write(content: IO[bytes], target: Path, budget: int, archive: Path) -> int:
    """Write a file; return how many bytes may still come."""
    try:
        file = target.open("wb")
    except OSError as error:
        raise cannot_write(target, error) from error
    with file:
        while chunk := content.read(STEP):
            budget -= len(chunk)
            if budget < 0:
                raise CheckpointError(f"{archive} unpacks to more than {LARGEST} bytes: do not trust it.")
            try:
                file.write(chunk)
            except OSError as error:
                raise cannot_write(target, error) from error
    return budget
