"""Fetching files: resumed where they broke off, tried again and elsewhere, checked, and whole or not there at all."""

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from atrous.errors import DownloadError
from atrous.files import cannot_write, make_folder
from atrous.progress import Progress, Silent

ATTEMPTS = 4
"""Per address; those after the first wait longer each time."""
SECONDS_BETWEEN = 1.0
TIMEOUT = 30.0
"""Seconds without a byte."""
STEP = 2**20
"""Bytes per step of the progress."""
LARGEST = 2**36
"""Bytes; a server that claims more is not believed."""
GONE = (400, 401, 403, 404, 410, 451)
"""Answers that will be the same next time."""


def cache_folder() -> Path:
    """Where fetched files are kept: $ATROUS_CACHE, else `atrous` in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("ATROUS_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atrous"


def is_offline() -> bool:
    """Whether $ATROUS_OFFLINE forbids the network."""
    return os.environ.get("ATROUS_OFFLINE", "0").lower() not in ("", "0", "no", "false")


def download(
    addresses: Sequence[str], target: Path, *, sha256: str | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a file from the first of its addresses that has it.

    What broke off is kept beside the target and continued, if the server still has the same file. A file that is
    there already is only checked.

    Args:
        addresses: Of http or https, the first is asked first.
        target: Where the file will be.
        sha256: Its hash, or the first digits of it, at least 8.
        progress: Shows how far it is, in MiB.

    Returns:
        The target.

    Raises:
        DownloadError: If no address has it, it is another file than the hash says, or the network is not allowed.
        OutputError: If the place cannot be written.
        ValueError: If an address is of another kind, or the hash has fewer than 8 digits.
    """
    if sha256 is not None and len(sha256) < 8:
        raise ValueError(f"the hash {sha256!r} has fewer than 8 digits")
    for address in addresses:
        if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"{address} is no address of http or https")
    if target.exists():
        _require_hash(target, sha256, keep=True)
        return target
    if is_offline():
        raise DownloadError(
            f"{target.name} is not here and ATROUS_OFFLINE forbids the network: fetch {addresses[0]} elsewhere and put "
            f"it there as {target}."
        )
    make_folder(target.parent)
    partial = target.with_name(f"{target.name}.part")
    reasons = []
    for address in addresses:
        reason = _fetched(address, partial, progress or Silent())
        if reason is None:
            _require_hash(partial, sha256, keep=False)
            os.replace(partial, target)
            _note_of(partial).unlink(missing_ok=True)
            return target
        reasons.append(f"{address}: {reason}")
    raise DownloadError(
        f"{target.name} could not be fetched ({'; '.join(reasons)}): try again later, what has come is kept; or put "
        f"the file there as {target}."
    )


class _Note(NamedTuple):
    """What a server said of the file of which a part is here."""

    address: str
    validator: str


def _fetched(address: str, partial: Path, progress: Progress) -> str | None:
    """Fetch into `partial`; return why it failed, or none."""
    reason = "never tried"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(SECONDS_BETWEEN * 2 ** (attempt - 1))
        try:
            _fetch(address, partial, progress)
            return None
        except DownloadError as error:
            return str(error)
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if error.code == 416:  # what is here is not a beginning of it
                partial.unlink(missing_ok=True)
            elif error.code in GONE:
                return reason
        except (OSError, http.client.HTTPException, EOFError) as error:
            if isinstance(error, OSError) and getattr(error, "filename", None) is not None:
                raise cannot_write(partial, error) from error
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
    return reason


def _fetch(address: str, partial: Path, progress: Progress) -> None:
    here = partial.stat().st_size if partial.exists() else 0
    note = _read_note(partial)
    request = urllib.request.Request(address, headers={"User-Agent": "atrous", "Accept-Encoding": "identity"})
    if here and note is not None and note.address == address and note.validator:
        request.add_header("Range", f"bytes={here}-")
        request.add_header("If-Range", note.validator)
    with _opener().open(request, timeout=TIMEOUT) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise DownloadError("it answers with a web page instead of the file")
        here = here if answer.status == 206 else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else here + int(length)
        if total is not None and total > LARGEST:
            raise DownloadError(f"it claims {total} bytes")
        validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        # A weak ETag does not promise the same bytes.
        _note_of(partial).write_text(json.dumps([address, "" if validator.startswith("W/") else validator]))
        with partial.open("ab" if here else "wb") as file:
            _copy(answer, file, here, total, f"Fetching {partial.name.removesuffix('.part')}", progress)


def _copy(
    answer: IO[bytes], file: IO[bytes], here: int, total: int | None, description: str, progress: Progress
) -> None:
    steps = -(-(total or 0) // STEP)
    with progress.task(f"{description} (MiB)", steps, here // STEP) as task:
        while chunk := answer.read(STEP):
            file.write(chunk)
            if (here + len(chunk)) // STEP > here // STEP:
                task.advance()
            here += len(chunk)
            if here > LARGEST:
                raise DownloadError(f"it sends more than {LARGEST} bytes")
        if total is not None and steps > here // STEP and here == total:
            task.advance()
    if total is not None and here < total:
        raise EOFError(f"it broke off after {here} of {total} bytes")


def _opener() -> urllib.request.OpenerDirector:
    """Opens http and https alone, wherever an answer leads."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _note_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_note(partial: Path) -> _Note | None:
    with suppress(OSError, ValueError, TypeError):
        address, validator = json.loads(_note_of(partial).read_text())
        return _Note(str(address), str(validator))
    return None


def _require_hash(path: Path, sha256: str | None, *, keep: bool) -> None:
    """Refuse another file than was promised; one that was just fetched is removed.

    Raises:
        DownloadError: If the hash differs.
    """
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found.startswith(sha256.lower()):
        return
    if keep:
        raise DownloadError(f"{path} is another file than was published (SHA-256 {found}, not {sha256}): remove it.")
    path.unlink(missing_ok=True)
    _note_of(path).unlink(missing_ok=True)
    raise DownloadError(
        f"{path.name.removesuffix('.part')} is another file than was published (SHA-256 {found}, not {sha256}); it was "
        "removed: ask whoever serves it."
    )
