"""Compressed tars, which cannot be read in place, become folders: all of one or nothing, and nothing outside."""

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from atrous.data.file_tree import inside
from atrous.errors import DatasetError
from atrous.files import cannot_write, make_folder
from atrous.progress import Progress, Silent

MOST_BYTES = 2**36
"""Of all files together; the largest of these data sets has a twentieth of it."""
MEBIBYTE = 2**20


def unpack(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpack the plain files of a tar packed by gzip; links, devices and hidden files are passed over.

    Files are written beside their place and moved there when all are: of a damaged archive nothing stays. What was
    there by the name of a file or folder in the archive is replaced.

    Args:
        archive: The tar.
        folder: Where its folders will be.
        progress: Shows how far it is, in MiB of the archive.

    Raises:
        DatasetError: If the archive is damaged, names places outside, or unpacks to more than 64 GiB.
        OutputError: If the place cannot be written.
    """
    beside = make_folder(folder) / f".unpacking-{archive.name}"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        _unpack_beside(archive, beside, progress or Silent())
        for path in sorted(beside.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(beside)
                make_folder(target.parent)
                os.replace(path, target)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetError(f"{archive} is a damaged archive ({error}): remove it, and fetch it again.") from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack_beside(archive: Path, beside: Path, progress: Progress) -> None:
    room, done = MOST_BYTES, 0
    steps = -(-archive.stat().st_size // MEBIBYTE)
    with (
        archive.open("rb") as packed,
        gzip.open(packed) as content,
        tarfile.open(fileobj=content, mode="r|") as tar,
        progress.task(f"Unpacking {archive.name} (MiB)", steps) as task,
    ):
        for member in tar:
            room -= member.size
            if room < 0:
                raise DatasetError(f"{archive} unpacks to more than {MOST_BYTES >> 30} GiB: give the right one.")
            _write_member(tar, member, beside, str(archive))
            for _ in range(packed.tell() // MEBIBYTE - done):
                done += 1
                task.advance()
        while content.read(MEBIBYTE):  # a tar that breaks off between two files looks whole; its packing does not
            pass
        for _ in range(steps - done):
            task.advance()


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, beside: Path, archive: str) -> None:
    name = inside(member.name, archive)
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or any(part.startswith(".") for part in PurePosixPath(name).parts):
        return
    target = beside / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)
