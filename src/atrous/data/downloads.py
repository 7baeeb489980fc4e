"""`atrous data download`: well-known data sets, fetched, checked, and ready to be read."""

import hashlib
from pathlib import Path

from atrous.config import nearest
from atrous.data.releases import RELEASES, DatasetFile, Release, Request
from atrous.data.unpacking import unpack
from atrous.download import download
from atrous.errors import ConfigError, DownloadError
from atrous.progress import Progress, Silent


def release_of(name: str, folder: Path) -> Release:
    """Look up a data set by its name.

    Raises:
        ConfigError: If there is none of that name.
        DownloadError: If it must be asked for; the sentence says how.
    """
    if name not in RELEASES:
        raise ConfigError(f"There is no data set `{name}` to fetch: {nearest(name, RELEASES)}.")
    release = RELEASES[name]
    if isinstance(release, Request):
        how = release.instructions.format(folder=folder)
        raise DownloadError(f"{release.title} is given only to those who ask its makers: {how}.")
    return release


def download_dataset(name: str, folder: Path, progress: Progress | None = None) -> Release:
    """Fetch a data set into a folder; what is there already is kept, and what broke off goes on.

    Zips and plain tars stay as they are, since they are read in place; compressed tars are unpacked and removed.

    Args:
        name: One of `RELEASES`.
        folder: Where its files will be.
        progress: Shows how far it is.

    Raises:
        ConfigError: If there is no data set of that name.
        DownloadError: If it must be asked for, cannot be fetched, or is another file than was published.
        DatasetError: If an archive is damaged.
        OutputError: If the place cannot be written.
    """
    release, shown = release_of(name, folder), progress or Silent()
    for file in release.files:
        if file.unpacked and (folder / file.unpacked).exists():
            shown.say(f"{file.name} is there already, unpacked")
            continue
        was_there = (folder / file.name).exists()
        path = download(file.addresses, folder / file.name, progress=shown)
        _require_md5(path, file, was_there=was_there)
        if file.unpacked:
            unpack(path, folder, shown)
            path.unlink()
    return release


def _require_md5(path: Path, file: DatasetFile, *, was_there: bool) -> None:
    """Refuse another file than was published; one that was just fetched is removed."""
    if file.md5 is None:
        return
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "md5").hexdigest()
    if found == file.md5:
        return
    if was_there:
        raise DownloadError(
            f"{path} is another file than was published (MD5 {found}, not {file.md5}): remove it, and it is fetched."
        )
    path.unlink()
    raise DownloadError(
        f"{file.name} from {file.addresses[0]} is another file than was published (MD5 {found}, not {file.md5}) and "
        "was removed: try again later, or fetch it elsewhere."
    )
