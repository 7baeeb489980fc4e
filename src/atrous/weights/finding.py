"""MODEL, wherever it is asked for: a path, a name of the catalogue, or a repository of the Hugging Face hub."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atrous.download import cache_folder, download
from atrous.errors import CheckpointError, DownloadError
from atrous.files import make_folder
from atrous.progress import Progress
from atrous.weights.bundled import bundled
from atrous.weights.catalog import ReleasedWeights, released
from atrous.weights.formats.archive import unpack
from atrous.weights.hub import HUB, from_hub
from atrous.weights.importing import import_weights, save_with_report
from atrous.weights.known_labels import known_labels


def find_model(model: str | Path, progress: Progress | None = None) -> Path:
    """Return the checkpoint that is meant; a released name is fetched and imported when it is first asked for.

    Args:
        model: A path, a name that `atrous models` lists, or `hf://owner/model[@revision][/file]`.
        progress: Shows a download.

    Raises:
        CheckpointError: If there is neither such a file nor such a name, or it cannot be imported.
        DownloadError: If it cannot be fetched.
    """
    text = str(model)
    if text.startswith(HUB):
        return from_hub(text, progress)
    path = Path(model)
    if os.path.exists(path) or _looks_like_a_path(text):
        return path
    if (ours := bundled(text)) is not None:
        return ours
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
    if entry.not_read:
        raise CheckpointError(f"{entry.name} is listed, but cannot be imported yet: {entry.not_read}.")
    with _unpacked(_fetched(entry, progress), entry.member) as weights:
        found = import_weights(weights, allow_partial=entry.allow_partial)
    labels = known_labels(entry.labels, found.num_classes) if entry.labels else found.labels
    save_with_report(found._replace(labels=labels), checkpoint, entry.name)
    return checkpoint


def _fetched(entry: ReleasedWeights, progress: Progress | None) -> Path:
    """The file as it was released.

    Raises:
        DownloadError: If it cannot be fetched, or only by hand and nobody has.
    """
    file = file_of(entry)
    if entry.addresses:
        return download(entry.addresses, file, sha256=entry.sha256, progress=progress)
    if not file.is_file():
        make_folder(file.parent)
        raise DownloadError(
            f"{entry.name} lies where no program can fetch it: open {entry.by_hand} in a browser, put the file there "
            f"as {file}, and run the same command again."
        )
    return file


@contextmanager
def _unpacked(file: Path, pattern: str | None) -> Iterator[Path]:
    """The wanted file of an archive, in a folder that is gone afterwards; or the file itself."""
    if pattern is None:
        yield file
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:  # the system's own place may be small
        members = unpack(file, pattern, Path(folder))
        yield next((member for member in members if member.suffix == ".index"), members[0])
