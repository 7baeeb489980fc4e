"""PyTorch's files in every packing, and safetensors; no code in them is ever run."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.labels import LabelSpace
from atrous.weights.formats.files import refused

PACKINGS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "params", "weights")
"""Names under which people store the tensors beside other things; the first that is there is taken."""
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What wrappers put before every name."""
ENDINGS = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".safetensors")
"""Of files of weights, which PyTorch's own archives do not hold."""
NETWORK_SHARE = 0.9
"""Of the tensors, what a network in a wrapper has at least: beside it lie weights of a loss, or counts of a metric."""
MOST_ENTRIES = 100_000


class _Number:
    """Stands for a number of numpy and for its type: VainF's port and jfzhang95's keep their best score as one."""

    def __init__(self, *_: object) -> None:
        """Take whatever numpy would; no tensor is among it."""

    def __setstate__(self, _: object) -> None:
        """Stay as it is."""


NUMBERS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Number, name) for name in ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
]


class TorchFile(NamedTuple):
    """The tensors of a file, by name."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]
    """How they were packed, and what else lay beside them."""
    labels: LabelSpace | None = None
    """The classes, where the file names them, as those of mmsegmentation do."""


def read_torch_file(path: Path) -> TorchFile:
    """Read a .pth, .pt, .bin, .ckpt, .pth.tar or .safetensors file.

    Raises:
        CheckpointError: If the file is missing or damaged, holds no tensors, or would need code to be run.
    """
    content = _content(path)
    notes: list[str] = []
    labels = _labels(content)
    while not _is_state(content):
        if not isinstance(content, dict):
            raise CheckpointError(
                f"{path} holds a {type(content).__name__} instead of named tensors: save a state_dict."
            )
        found = [key for key in PACKINGS if isinstance(content.get(key), dict)] or _only_state(content)
        if not found:
            listed = ", ".join(sorted(map(str, content))[:6]) or "nothing"
            raise CheckpointError(f"{path} holds no named tensors, only {listed}: save the network's state_dict.")
        others = sorted(str(key) for key in content if key != found[0])
        notes.append(f"taken from {found[0]!r}; beside it: {', '.join(others[:8]) or 'nothing'}")
        content = content[found[0]]
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return TorchFile(*_without_prefixes(tensors, notes), labels)


def _labels(content: Any) -> LabelSpace | None:
    """The classes that OpenMMLab's files carry: `meta` with CLASSES, or with `dataset_meta`; none if they are odd."""
    meta = content.get("meta") if isinstance(content, dict) else None
    if not isinstance(meta, dict):
        return None
    meta = meta.get("dataset_meta", meta)
    if not isinstance(meta, dict):
        return None
    names = meta.get("classes", meta.get("CLASSES"))
    colors = meta.get("palette", meta.get("PALETTE"))
    try:
        if colors is None:
            return LabelSpace.from_names(list(names or ()))
        return LabelSpace.model_validate({"names": names, "colors": colors})
    except (ValidationError, TypeError, ValueError):
        return None


def _content(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    _require_plain_archive(path)
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:9] == b"{"
        if is_safetensors:
            tensors = load_file(path)
            return {name: tensors[name] for name in sorted(tensors, key=_by_number)}
        with torch.serialization.safe_globals(NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise refused(path, "safetensors file", error) from None
    except MemoryError:
        raise CheckpointError(f"{path} claims more memory than there is: get a whole copy of it.") from None
    except Exception as error:  # of its many kinds, each means that the file is not one of plain tensors
        raise CheckpointError(f"{path} {_reason(error)}") from None


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts names as most networks define them, since safetensors keep no order: layer 2 before layer 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split(".")]


def _reason(error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text or "torch.jit" in text:
        return "is a TorchScript archive, which is a program: save the network's state_dict instead."
    if "weights_only" in text.lower() or "Unsupported" in text or "GLOBAL" in text:
        words = text.split("GLOBAL ")[1].split(" ")[0] if "GLOBAL " in text else "objects beyond tensors"
        return (
            f"needs {words} to be loaded, which may run any code and is therefore refused: have whoever made it save "
            "the network's state_dict."
        )
    return f"cannot be read ({type(error).__name__}): get a whole copy of it."


def _require_plain_archive(path: Path) -> None:
    """Refuse archives that would unpack to more than they are; torch stores, and never compresses."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            packed = [entry.filename for entry in entries if entry.filename.endswith(ENDINGS)]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise refused(path, "archive of PyTorch", error) from None
    if packed:
        raise CheckpointError(f"{path} is an archive with {packed[0]} in it: unpack it, and give that file.")
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(
            f"{path} would unpack to more than its own size, as PyTorch's files never do: do not trust it."
        )


def _is_state(content: Any) -> bool:
    if not isinstance(content, dict) or not content:
        return False
    return sum(isinstance(value, Tensor) for value in content.values()) > len(content) / 2


def _only_state(content: dict[Any, Any]) -> list[Any]:
    """The one entry that holds named tensors, whatever it is called; none if there are several, as of two networks."""
    states = [key for key, value in content.items() if _is_state(value)]
    return states if len(states) == 1 else []


def _without_prefixes(tensors: dict[str, Tensor], notes: list[str]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    while tensors:
        begins = {prefix: sum(name.startswith(prefix) for name in tensors) for prefix in PREFIXES}
        prefix = next((prefix for prefix, count in begins.items() if count >= NETWORK_SHARE * len(tensors)), None)
        if prefix is None:
            break
        others = sorted(name for name in tensors if not name.startswith(prefix))
        notes.append(f"every name began with {prefix!r}" + f", but for {', '.join(others[:4])}" * bool(others))
        shorter = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        if len(shorter) < len(tensors):  # two would have one name
            break
        tensors = shorter
    return tensors, tuple(notes)
