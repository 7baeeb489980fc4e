"""A checkpoint describes itself: one safetensors file with the weights and, as JSON, all that prediction needs."""

import json
import os
import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from atrous.config import Config, parse
from atrous.errors import CheckpointError, ConfigError
from atrous.files import replacing
from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig, build_network
from atrous.networks.segmentation import SegmentationNetwork

METADATA_KEY = "atrous"


class CheckpointInfo(Config):
    """What stands in a checkpoint beside its weights; the network's config holds the pixel scale and the rates."""

    format: Literal["atrous-checkpoint-1"] = "atrous-checkpoint-1"
    name: str
    network: NetworkConfig
    labels: LabelSpace
    recipe: dict[str, Any] = Field(default_factory=dict)
    """The whole recipe as resolved, for a network that was trained here."""
    scores: dict[str, Any] = Field(default_factory=dict)
    """Scores with the protocol that they were obtained by."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Where the weights come from: versions, steps, date."""


class Checkpoint(NamedTuple):
    """A network as it was stored, in evaluation mode, with what is known about it."""

    network: SegmentationNetwork
    info: CheckpointInfo


def save_checkpoint(path: Path, network: SegmentationNetwork, info: CheckpointInfo) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        OutputError: If the place cannot be written.
    """
    save_tensors(path, network.state_dict(), info.model_dump_json())


def save_halved(path: Path, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
    """Write a checkpoint whose kernels take half the space; it is read as any other, and computes as any other.

    Norms, biases and the pixel scale, which are few, stay as they are; so does a kernel whose values are too large for
    the type.

    Args:
        path: Where to.
        checkpoint: What to write.
        dtype: torch.float16 or torch.bfloat16.

    Raises:
        OutputError: If the place cannot be written.
    """
    name = str(dtype).removeprefix("torch.")
    info = checkpoint.info.model_copy(update={"provenance": {**checkpoint.info.provenance, "kernels": name}})
    tensors = {name: _halved(tensor, dtype) for name, tensor in checkpoint.network.state_dict().items()}
    save_tensors(path, tensors, info.model_dump_json())


def _halved(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    half = tensor.to(dtype)
    kernel = tensor.dim() > 1 and tensor.is_floating_point()
    return half if kernel and bool(half.isfinite().all()) else tensor


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is executed, and no tensor is made that the file does not hold.

    Raises:
        CheckpointError: If the file is missing, damaged, or no checkpoint of atrous.
    """
    tensors, text = load_tensors(path, "checkpoint")
    info = _parse_info(text, path)
    try:
        with torch.device("meta"):  # it knows shapes and takes no memory, however large they are
            network = build_network(info.network, info.labels.num_classes)
    except (RuntimeError, TypeError, ValueError):  # torch's own words for sizes that no computer can count
        raise CheckpointError(
            f"{path} describes a network that cannot be built, such as one of impossible size: get a whole copy of it."
        ) from None
    expected = network.state_dict()
    require_same_tensors(expected, tensors, path)
    network.load_state_dict({name: tensors[name].to(expected[name].dtype) for name in expected}, assign=True)
    return Checkpoint(network.eval(), info)


def read_info(path: Path) -> CheckpointInfo:
    """Read what a checkpoint says about itself, without its weights.

    Raises:
        CheckpointError: If the file is missing, damaged, or no checkpoint of atrous.
    """
    with _opened(path, "checkpoint") as file:
        return _parse_info(_description(file.metadata(), path, "checkpoint"), path)


def is_checkpoint(path: Path) -> bool:
    """Whether a file says of itself that atrous wrote it, this version or another."""
    try:
        with safe_open(path, framework="pt") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return False


def save_tensors(path: Path, tensors: dict[str, Tensor], description: str) -> None:
    """Write tensors and a JSON text as one safetensors file, whole or not at all.

    Raises:
        OutputError: If the place cannot be written.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        try:
            save_file(whole, temporary, metadata={METADATA_KEY: description})
        except SafetensorError as error:
            raise _cause(error) from None


def load_tensors(path: Path, what: str) -> tuple[dict[str, Tensor], str]:
    """Read what `save_tensors` wrote: the tensors by name, and the JSON text.

    Raises:
        CheckpointError: If the file is missing, damaged, or not written by atrous; `what` names it in the sentence.
    """
    with _opened(path, what) as file:
        text = _description(file.metadata(), path, what)
        try:
            return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118 - no dict
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is damaged ({error}): get a whole copy of it.") from None


def require_same_tensors(expected: dict[str, Tensor], given: dict[str, Tensor], path: Path) -> None:
    """Refuse weights that are not exactly those of the network.

    Raises:
        CheckpointError: It names the first tensor that is missing, left over, or of another shape or type.
    """
    for name in sorted(expected.keys() - given.keys()):
        raise CheckpointError(f"{path} lacks the tensor {name} of the network that it describes: get a whole copy.")
    for name in sorted(given.keys() - expected.keys()):
        raise CheckpointError(
            f"{path} holds a tensor {name!r} that its network does not have: it is no such checkpoint."
        )
    for name, tensor in expected.items():
        found = given[name]
        if tensor.shape != found.shape or tensor.is_floating_point() != found.is_floating_point():
            raise CheckpointError(
                f"The tensor {name} in {path} is {found.dtype} {list(found.shape)} where its network has "
                f"{tensor.dtype} {list(tensor.shape)}: the file does not fit its own description."
            )


def _parse_info(text: str, path: Path) -> CheckpointInfo:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The description in {path} is no JSON ({error}): get a whole copy of it.") from None
    try:
        info: CheckpointInfo = parse(CheckpointInfo, data, f"{path} describes nothing that this version can build")
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    return info


def _cause(error: SafetensorError) -> OSError:
    """What the system answered: safetensors keeps the number of a full disk's error in its text only."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def _opened(path: Path, what: str) -> Any:
    try:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder: give a {what} in it, such as {path / 'best.safetensors'}.")
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise CheckpointError(f"There is no {what} {path}.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no {what} of atrous ({' '.join(str(error).split())}): a whole .safetensors file of its own "
            f"writing was expected; pickles (.pth, .pt, .ckpt) are never opened here."
        ) from None


def _description(metadata: dict[str, str] | None, path: Path, what: str) -> str:
    text = (metadata or {}).get(METADATA_KEY)
    if text is None:
        raise CheckpointError(
            f"{path} is a safetensors file, but no {what} of atrous: it does not say whose weights it holds."
        )
    return text
