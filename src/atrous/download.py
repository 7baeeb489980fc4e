"""Files from elsewhere: resumed where they broke off, tried again and at mirrors, checked, and whole or not there."""

import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from atrous.errors import DownloadError
from atrous.files import cannot_write, make_folder
from atrous.progress import Progress, Silent

ATTEMPTS = 4
"""In a row that together bring less than 1 MiB, at one address."""
SECONDS_BETWEEN = 1.0
"""Before the second attempt; each later pause is twice as long."""
LONGEST_PAUSE = 60.0
"""Seconds that a server may ask to be left alone."""
TIMEOUT = 30.0
"""Seconds without a byte."""
MEBIBYTE = 2**20
LARGEST = 2**37
"""Bytes; the largest data set has a third of it. A server that claims or sends more is not believed."""
SHORTEST_HASH = 8
"""Digits; so many stand in the names of PyTorch's and OpenMMLab's files."""
TEMPORARY = (408, 416, 425, 429, 500, 502, 503, 504)
"""Answers that may be others next time; for 416, once what is here has been dropped."""


def cache_folder() -> Path:
    """Where fetched files are kept: $ATROUS_CACHE, else `atrous` in $XDG_CACHE_HOME, else ~/.cache/atrous."""
    if own := os.environ.get("ATROUS_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atrous"


def is_offline() -> bool:
    """Whether $ATROUS_OFFLINE is set to 1, or anything but 0: then the network is never touched."""
    return os.environ.get("ATROUS_OFFLINE", "0").lower() not in ("", "0", "no", "false")


def download(
    addresses: Sequence[str], target: Path, *, sha256: str | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a file from the first of its addresses that has it.

    What has come when a connection breaks is kept beside the target, and goes on from there the next time if the
    server still has the same file. A target that is there already is checked, and not fetched.

    Args:
        addresses: Of http or https; the mirrors come after the first.
        target: Where the file will be.
        sha256: Its hash in hexadecimal, or the beginning of it, 8 digits or more.
        progress: Shows how far it is, in MiB.

    Returns:
        The target.

    Raises:
        DownloadError: If no address has it, it is not what the hash says, or $ATROUS_OFFLINE forbids the network.
        OutputError: If the place cannot be written.
        ValueError: If there is no address, one is of another kind, or the hash is none.
    """
    _require_sense(addresses, sha256)
    if target.exists():
        _require_same(target, sha256)
        return target
    if is_offline():
        raise DownloadError(
            f"{target.name} is not here and ATROUS_OFFLINE forbids the network: fetch {addresses[0]} elsewhere and put "
            f"it there as {target}."
        )
    make_folder(target.parent)
    with _alone(target):
        if not target.exists():  # another process may have fetched it in the meantime
            _fetch_anywhere(addresses, target, sha256, progress or Silent())
    return target


class _UnavailableError(Exception):
    """Why an address does not give the file, in words that follow on its name."""


class _Partial:
    """What has come of a file so far, and which version of it that is."""

    def __init__(self, target: Path) -> None:
        self.path, self.note = (target.with_name(f"{target.name}.{end}") for end in ("part", "part.json"))

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, address: str) -> str | None:
        """What tells the server at an address which version is here; none if it is not from there."""
        with suppress(OSError, ValueError):
            note = json.loads(self.note.read_text(encoding="utf-8"))
            if isinstance(note, list) and note[:1] == [address] and len(note) == 2:
                return str(note[1]) or None
        return None

    def note_down(self, address: str, validator: str) -> None:
        self.note.write_text(json.dumps([address, validator]), encoding="utf-8")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _fetch_anywhere(addresses: Sequence[str], target: Path, sha256: str | None, progress: Progress) -> None:
    partial = _Partial(target)
    reasons = []
    for address in addresses:
        try:
            _fetch_patiently(address, partial, progress)
            _require_published(partial, sha256)
        except _UnavailableError as reason:
            reasons.append(f"{urlsplit(address).netloc} {reason}")
            continue
        os.replace(partial.path, target)
        partial.drop()
        return
    kept = ", what has come is kept" if partial.size else ""
    raise DownloadError(
        f"{target.name} cannot be fetched ({'; '.join(reasons)}): try again later{kept}, or fetch {addresses[0]} "
        f"elsewhere and put it there as {target}."
    )


def _fetch_patiently(address: str, partial: _Partial, progress: Progress) -> None:
    """Try until the file is whole, or several attempts in a row have brought next to nothing."""
    failed, most = 0, partial.size
    while True:
        pause = SECONDS_BETWEEN * 2**failed
        try:
            return _fetch(address, partial, progress)
        except urllib.error.HTTPError as error:
            reason = f"answers {error.code} {error.reason}"
            if error.code not in TEMPORARY:
                raise _UnavailableError(reason) from None
            if error.code == 416:  # nothing comes after what is here
                if error.headers.get("Content-Range") == f"bytes */{partial.size}":
                    return None
                partial.drop()
            pause = max(pause, _asked_pause(error.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException, EOFError) as error:
            reason = f"fails: {getattr(error, 'reason', None) or error or type(error).__name__}"
        failed, most = (0, partial.size) if partial.size >= most + MEBIBYTE else (failed + 1, most)
        if failed >= ATTEMPTS:
            raise _UnavailableError(reason)
        progress.say(f"{urlsplit(address).netloc} {reason}; trying again in {pause:.0f} s")
        time.sleep(pause)


def _asked_pause(retry_after: str | None) -> float:
    return min(float(retry_after), LONGEST_PAUSE) if retry_after and retry_after.isdecimal() else 0.0


def _fetch(address: str, partial: _Partial, progress: Progress) -> None:
    """Fetch the file, or the rest of it."""
    validator = partial.validator(address)
    here = partial.size if validator else 0
    request = urllib.request.Request(address, headers={"User-Agent": "atrous", "Accept-Encoding": "identity"})
    if here and validator:
        request.add_header("Range", f"bytes={here}-")
        request.add_header("If-Range", validator)
    with _opener().open(request, timeout=TIMEOUT) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise _UnavailableError("answers with a web page where a file was expected")
        if answer.status != 206:
            here = 0  # it sends the file from its beginning
        elif not (answer.headers.get("Content-Range") or "").startswith(f"bytes {here}-"):
            raise _UnavailableError("answers with another part of the file than the one it was asked for")
        total = _total(answer.headers.get("Content-Length"), here)
        _require_room(partial.path, (total or here) - here)
        partial.note_down(address, _validator(answer.headers))
        with partial.path.open("ab" if here else "wb") as file:
            _copy(answer, file, here, total, progress, partial.path)


def _total(length: str | None, here: int) -> int | None:
    """Bytes of the whole file, if the server says how many it sends."""
    if length is None:
        return None
    if not length.isdecimal() or int(length) > LARGEST:
        raise _UnavailableError(f"claims that the file has {length[:20]} bytes, which cannot be")
    return here + int(length)


def _validator(headers: Any) -> str:
    """What names the version of a file so exactly that a part of it can be completed; nothing where nothing does."""
    tag = headers.get("ETag") or ""
    return (headers.get("Last-Modified") or "") if not tag or tag.startswith("W/") else tag


def _copy(answer: Any, file: Any, here: int, total: int | None, progress: Progress, path: Path) -> None:
    """Append what a server sends; without a length, its end is believed."""
    name = path.name.removesuffix(".part")
    if total is None:
        progress.say(f"Fetching {name}, of unknown size")
    shown, steps = (Silent(), 0) if total is None else (progress, -(-total // MEBIBYTE))
    with shown.task(f"Fetching {name} (MiB)", steps, here // MEBIBYTE) as task:
        while chunk := answer.read(MEBIBYTE):
            _append(file, chunk, path)
            before, here = here, here + len(chunk)
            for _ in range(here // MEBIBYTE - before // MEBIBYTE):
                task.advance()
            if here > LARGEST:
                raise _UnavailableError(f"sends more than {LARGEST} bytes")
        if here == total and here % MEBIBYTE:
            task.advance()
    if total is not None and here < total:
        raise EOFError(f"the connection broke off after {here} of {total} bytes")


def _append(file: Any, chunk: bytes, path: Path) -> None:
    try:
        file.write(chunk)
    except OSError as error:  # of the disk, and not of the network
        raise cannot_write(path, error) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows an answer to another address, but never out of encryption."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise _UnavailableError(f"leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens http and https, and nothing else: no answer leads to a file of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Let one process after the other fetch a file, where the system can."""
    lock = target.with_name(f"{target.name}.lock")
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        file = lock.open("a")
    except OSError as error:
        raise cannot_write(target, error) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _require_room(path: Path, wanted: int) -> None:
    if shutil.disk_usage(path.parent).free < wanted:
        raise cannot_write(path, OSError(ENOSPC, os.strerror(ENOSPC)))


def _require_sense(addresses: Sequence[str], sha256: str | None) -> None:
    if not addresses:
        raise ValueError("a file without an address cannot be fetched")
    for address in addresses:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"{address} is no address of http or https")
    if sha256 is not None and not (len(sha256) >= SHORTEST_HASH and set(sha256.lower()) <= set("0123456789abcdef")):
        raise ValueError(f"{sha256!r} is no SHA-256, nor the first {SHORTEST_HASH} digits of one")


def _require_same(path: Path, sha256: str | None) -> None:
    if sha256 is not None and not (found := _sha256(path)).startswith(sha256.lower()):
        raise DownloadError(
            f"{path} is another file than was published (SHA-256 {found}, not {sha256}): remove it, and it is fetched "
            "again."
        )


def _require_published(partial: _Partial, sha256: str | None) -> None:
    if sha256 is not None and not (found := _sha256(partial.path)).startswith(sha256.lower()):
        partial.drop()
        raise _UnavailableError(f"has another file than was published: SHA-256 {found}, not {sha256}")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DownloadError(f"{path} cannot be read ({error.strerror}): remove it, and it is fetched again.") from None
