"""Checkpoints on the Hugging Face hub: `hf://owner/model[@revision][/file]`."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from atrous.download import cache_folder, is_offline
from atrous.errors import ConfigError, DownloadError
from atrous.labels import LabelSpace
from atrous.progress import Progress, Silent
from atrous.weights.checkpoint import is_checkpoint, read_info
from atrous.weights.importing import import_weights, save_with_report

HUB = "hf://"
OWN_FILE = "atrous.safetensors"
"""As which a checkpoint of ours is stored there."""
FILES = (OWN_FILE, "model.safetensors", "pytorch_model.bin")
"""What is looked for where no file is named, the first first."""


class Place(NamedTuple):
    """A repository of the hub, and what of it is meant."""

    repository: str
    revision: str | None
    file: str | None


def parse_place(text: str) -> Place:
    """Read `hf://owner/model[@revision][/file]`.

    Raises:
        ConfigError: If it is no such place.
    """
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([^/]+))?(?:/(.+))?", text)
    if match is None:
        raise ConfigError(
            f"{text} is no place on the hub: write hf://owner/model, with @revision and /file if need be."
        )
    return Place(match[1], match[2], match[3])


def from_hub(text: str, progress: Progress | None = None) -> Path:
    """Fetch a checkpoint; weights of transformers or timm are imported when they are first asked for.

    Args:
        text: `hf://owner/model[@revision][/file]`.
        progress: With none, or one that is silent, the hub's library shows nothing either.

    Returns:
        The path of a checkpoint of atrous, in the hub's own cache, or in ours where it was imported.

    Raises:
        DownloadError: If it cannot be fetched.
        CheckpointError: If it is no network of the family.
    """
    place = parse_place(text)
    if progress is None or isinstance(progress, Silent):
        _library().utils.disable_progress_bars()
    file = _fetched(place)
    if is_checkpoint(file):
        return file
    target = cache_folder() / "models" / f"{place.repository.replace('/', '--')}--{_version(file)}.safetensors"
    if not target.exists():
        found = import_weights(file)
        labels = found.labels or _labels(place, found.num_classes)
        save_with_report(found._replace(labels=labels), target, place.repository)
    return target


def to_hub(checkpoint: Path, text: str) -> str:
    """Store a checkpoint on the hub, in a repository that is made if it is not there.

    Returns:
        The address of what was stored.

    Raises:
        CheckpointError: If it is no checkpoint of atrous.
        DownloadError: If the hub does not take it.
    """
    read_info(checkpoint)
    place = parse_place(text)
    hub = _library()
    try:
        api = hub.HfApi()
        api.create_repo(place.repository, exist_ok=True)
        stored = api.upload_file(
            path_or_fileobj=str(checkpoint),
            path_in_repo=place.file or OWN_FILE,
            repo_id=place.repository,
            revision=place.revision,
        )
    except Exception as error:
        raise _failed(f"{checkpoint} could not be stored as {text}", error) from None
    return str(stored)


def _fetched(place: Place) -> Path:
    hub = _library()
    failure: Exception | None = None
    for name in (place.file,) if place.file else FILES:
        try:
            return Path(
                hub.hf_hub_download(place.repository, name, revision=place.revision, local_files_only=is_offline())
            )
        except hub.errors.EntryNotFoundError as error:
            failure = error  # another name may be there
        except Exception as error:  # of the hub, of its server, of the network
            raise _failed(f"{HUB}{place.repository} cannot be fetched", error) from None
    expected = place.file or ", ".join(FILES)
    raise _failed(f"{HUB}{place.repository} holds none of {expected}", failure or FileNotFoundError())


def _labels(place: Place, num_classes: int) -> LabelSpace | None:
    """The classes that `config.json` of transformers names."""
    try:
        content = json.loads(_fetched(place._replace(file="config.json")).read_text(encoding="utf-8"))
        names = [str(content["id2label"][str(index)]) for index in range(num_classes)]
        return LabelSpace.from_names(names)
    except (DownloadError, OSError, ValueError, KeyError, TypeError):
        return None


def _version(file: Path) -> str:
    """The commit in whose folder the hub's cache keeps a file, and the file."""
    *_, commit_and_file = file.as_posix().rpartition("/snapshots/")
    commit, _, path = commit_and_file.partition("/")
    return f"{commit[:12]}--{path.replace('/', '--')}" if path else file.name


def _library() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError:
        raise DownloadError(
            "Places such as hf://owner/model need the hub's library: pip install 'atrous[hub]'."
        ) from None
    return huggingface_hub


def _failed(what: str, error: Exception) -> DownloadError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DownloadError(f"{what} ({reason}): check the name, the connection and, for what is private, your login.")
