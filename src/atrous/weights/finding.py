"""MODEL, wherever it is asked for: a path, a name of the catalogue, or a repository of the Hugging Face hub."""

import fnmatch
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from atrous.download import cache_folder, download
from atrous.errors import CheckpointError, DownloadError
from atrous.files import write_text
from atrous.progress import Progress
from atrous.weights.catalog import ReleasedWeights, released
from atrous.weights.hub import HUB, from_hub
from atrous.weights.importing import import_weights, save_imported
from atrous.weights.known_labels import known_labels

LARGEST_MEMBER = 2**33


def find_model(model: str | Path, progress: Progress | None = None) -> Path:
    """Return the checkpoint that is meant; a name is fetched and imported when it is first asked for.

    Args:
        model: A path, a name that `atrous models` lists, or `hf://owner/model[@revision][/file]`.
        progress: Shows a download.

    Raises:
        CheckpointError: If there is neither such a file nor such a name, or it cannot be imported.
        DownloadError: If it cannot be fetched.
    """
    text = str(model)
    if text.startswith(HUB):
        return from_hub(text)
    path = Path(model)
    if os.path.exists(path) or _looks_like_a_path(text):
        return path
    entry = released(text)
    checkpoint = checkpoint_of(entry)
    return checkpoint if checkpoint.exists() else _imported(entry, checkpoint, progress)


def checkpoint_of(entry: ReleasedWeights) -> Path:
    """Where the checkpoint of a catalogue's entry lies, once it was asked for."""
    return cache_folder() / "models" / f"{entry.name}.safetensors"


def file_of(entry: ReleasedWeights) -> Path:
    """Where the file of a catalogue's entry lies as it was released."""
    return cache_folder() / "released" / entry.file_name


def _looks_like_a_path(text: str) -> bool:
    return "/" in text or os.sep in text or text.endswith((".safetensors", ".pth", ".pt"))


def _imported(entry: ReleasedWeights, checkpoint: Path, progress: Progress | None) -> Path:
    if not entry.addresses:
        raise DownloadError(f"{entry.name} cannot be fetched by a program. {entry.instructions} See {entry.page}.")
    file = download(entry.addresses, file_of(entry), sha256=entry.sha256, progress=progress)
    with _unpacked(file, entry.member) as weights:
        found = import_weights(weights, allow_partial=entry.allow_partial)
    labels = known_labels(entry.labels, found.num_classes) if entry.labels else found.labels
    write_text(checkpoint.with_suffix(".import.json"), found.report.model_dump_json(indent=1))
    save_imported(found._replace(labels=labels), checkpoint, entry.name)
    return checkpoint


@contextmanager
def _unpacked(file: Path, pattern: str | None) -> Iterator[Path]:
    """The wanted file of an archive, in a folder that is gone afterwards; or the file itself."""
    if pattern is None:
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            names = sorted(unpack(file, pattern, Path(folder)))
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise CheckpointError(f"{file} is a damaged archive ({error}): remove it to fetch it anew.") from None
        if not names:
            raise CheckpointError(f"{file} holds no {pattern}: it is not the archive that was expected.")
        index = next((name for name in names if name.endswith(".index")), names[0])
        yield Path(folder) / index


def unpack(file: Path, pattern: str, folder: Path) -> list[str]:
    """Write the files of an archive whose names, without their folders, fit a pattern; return these names.

    Only plain files are taken, and none to any other place, whatever the archive says.

    Raises:
        OSError: If it cannot be read, or a file has more than 8 GiB.
    """
    names = []
    for path, opened in _members(file):
        name = path.rsplit("/", 1)[-1]
        if fnmatch.fnmatchcase(name, pattern) and not name.startswith("."):
            with opened() as source, (folder / name).open("wb") as target:
                _copy(source, target)
            names.append(name)
    return names


def _members(file: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, lambda info=info: archive.open(info)  # type: ignore[misc]
        return
    with tarfile.open(file) as tar:
        for member in tar:
            if member.isreg():
                yield member.name, lambda member=member: tar.extractfile(member)  # type: ignore[misc]


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    shutil.copyfileobj(_Bounded(source), target)


class _Bounded:
    """A stream that is not believed to be endless."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.left = source, LARGEST_MEMBER

    def read(self, size: int = -1) -> bytes:
        """Read on, if it has not been too much.

        Raises:
            OSError: If more than 8 GiB came.
        """
        content = self.source.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise OSError("it unpacks to more than 8 GiB")
        return content
