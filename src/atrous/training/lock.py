"""One training at a time in a folder: the lock that its main process holds as long as it lives."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO

from atrous.errors import OutputError
from atrous.files import cannot_write, make_folder

try:
    import fcntl
except ImportError:  # Windows, which has no such locks: there nothing is held
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A file that one process holds; the system lets go of it however that process ends.

    The file stays, for whoever removed it could remove the next one's. Its lock is that of POSIX, which the loader
    processes do not inherit and which network file systems know.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is made yet."""
        self.path = path
        self._file: IO[str] | None = None

    def require_free(self) -> None:
        """Refuse a folder that another process holds; nothing is written.

        Raises:
            OutputError: It names the process.
        """
        with suppress(OSError), self.path.open("r+", encoding="utf-8") as file:
            self._take(file)

    def hold(self) -> None:
        """Hold the file, which says whose it is.

        Raises:
            OutputError: If another process holds it, or it cannot be written.
        """
        make_folder(self.path.parent)
        try:
            self._file = self.path.open("a+", encoding="utf-8")
            self._take(self._file)
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def release(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take(self, file: IO[str]) -> None:
        if fcntl is None:
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise OutputError(
                f"{self.path.parent.parent} belongs to a training that goes on at this moment ({file.read(200)}): wait "
                f"for its end, stop it, or choose another folder with --output."
            ) from None
        except OSError:  # a file system without locks
            return
