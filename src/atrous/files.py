"""Files that are either whole or not there: written beside their place, flushed, then renamed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from atrous.errors import OutputError


@contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it becomes `path` in one step.

    When the block fails (an exception, Ctrl-C, a full disk), the temporary file is removed and an older `path` stays.
    Whatever the block writes with, `path` has the permissions of any new file: those that the umask leaves.

    Args:
        path: The file to write.
        flush: Wait until the disk has it, so that a power cut cannot leave it empty either. Worth its milliseconds for
            a checkpoint, not for each of a million pictures that can be made again.

    Raises:
        OutputError: If the place cannot be written; the sentence says why.
    """
    temporary = path.with_name(f".{os.urandom(8).hex()}.part")  # without the name, which may be as long as names can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        permissions = _permissions_of_new_files(temporary)
        yield temporary
        if flush:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        if stat.S_IMODE(temporary.stat().st_mode) != permissions:
            temporary.chmod(permissions)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # it was renamed, or there never was a place for it
            temporary.unlink()


def _permissions_of_new_files(unused: Path) -> int:
    # The umask itself can be read only by changing it, which other threads would notice.
    unused.touch(exist_ok=False)
    permissions = stat.S_IMODE(unused.stat().st_mode)
    unused.unlink()
    return permissions


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> Path:
    """Make the folder and its parents; return it.

    Raises:
        OutputError: If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The sentence for a place that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"No space is left on the disk of {path}: free some, then run the same command again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"{path} may not be written: choose another place with --output, or change its permissions.")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return OutputError(
            f"{path} cannot be written: a file stands where a folder was expected. Choose another place."
        )
    reason = error.strerror or str(error)
    return OutputError(f"{path} cannot be written ({reason}): choose another place with --output.")
