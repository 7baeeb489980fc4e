"""Our networks as state dicts of PyTorch's libraries, so that nobody is locked in."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from atrous.config import nearest
from atrous.errors import CheckpointError, ConfigError
from atrous.files import replacing
from atrous.networks import NetworkConfig
from atrous.weights.checkpoint import Checkpoint
from atrous.weights.from_pytorch import pytorch_layout
from atrous.weights.pytorch.jfzhang95 import jfzhang95_names
from atrous.weights.pytorch.kazuto1011 import kazuto1011_names
from atrous.weights.pytorch.mmsegmentation import mmsegmentation_names
from atrous.weights.pytorch.smp import smp_names
from atrous.weights.pytorch.timm import timm_names
from atrous.weights.pytorch.torchvision import torchvision_names
from atrous.weights.pytorch.transformers import transformers_names
from atrous.weights.pytorch.vainf import vainf_names
from atrous.weights.renaming import Namer, layout_of, spread

_NAMES: dict[str, Callable[[NetworkConfig], Namer | None]] = {
    "torchvision": torchvision_names,
    "smp": smp_names,
    "vainf": vainf_names,
    "jfzhang95": jfzhang95_names,
    "kazuto1011": kazuto1011_names,
    "mmsegmentation": mmsegmentation_names,
    "timm": timm_names,
    "transformers": transformers_names,
}
LIBRARIES = tuple(_NAMES)

UNSAID = {"output_stride", "rates", "pixels", "batch_norm", "dropout", "auxiliary", "loss_size", "scales", "multi_grid"}
"""Choices that a state dict does not hold: whoever loads it has to make them."""


class Converted(NamedTuple):
    """A state dict of another library."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]
    """What the library's network has to be told, as the tensors do not say it."""


def to_pytorch(checkpoint: Checkpoint, library: str) -> Converted:
    """Return the tensors of a checkpoint under the names of another library.

    What comes out is recognised again, and must be the network that it was: so a library that has no such network is
    refused, with the choice in which it differs.

    Raises:
        ConfigError: If there is no such library.
        CheckpointError: If the library has no such network.
    """
    if library not in _NAMES:
        raise ConfigError(f"There is no layout `{library}`; {nearest(library, LIBRARIES)}.")
    config, num_classes = checkpoint.info.network, checkpoint.network.num_classes
    names = _NAMES[library](config)
    if names is None:
        raise CheckpointError(f"{library} has no {config.kind} on a {config.backbone.kind}.")
    try:
        tensors = spread(layout_of(library, config, num_classes, names), checkpoint.network.state_dict())
        again = pytorch_layout(tensors, f"what {library} gets").config
    except (CheckpointError, KeyError, ValueError, IndexError):
        raise CheckpointError(
            f"{library} has no {config.kind} on a {config.backbone.kind} with these choices."
        ) from None
    differing = _differing(config, again)
    structural = {choice: pair for choice, pair in differing.items() if choice.split(".")[-1] not in UNSAID}
    for choice, (ours, theirs) in structural.items():
        raise CheckpointError(f"{library} has this network with {choice} {theirs!r} only, where it is {ours!r} here.")
    unsaid = tuple(
        f"{choice} is {ours!r} here, by default {theirs!r} there" for choice, (ours, theirs) in differing.items()
    )
    return Converted({name: tensor.contiguous() for name, tensor in tensors.items()}, unsaid)


def save_converted(converted: Converted, path: Path) -> None:
    """Write the tensors as safetensors, if the path ends so, or as a state dict of torch.

    Raises:
        OutputError: If the place cannot be written.
    """
    with replacing(path) as temporary:
        if path.suffix == ".safetensors":
            save_file(converted.tensors, temporary)
        else:
            torch.save(converted.tensors, temporary)


def _differing(ours: NetworkConfig, theirs: NetworkConfig) -> dict[str, tuple[object, object]]:
    """The choices in which two networks differ, with both values."""
    if ours.kind != theirs.kind or ours.backbone.kind != theirs.backbone.kind:
        return {"kind": (f"{ours.kind} on {ours.backbone.kind}", f"{theirs.kind} on {theirs.backbone.kind}")}
    flat, others = _flat(ours), _flat(theirs)
    return {name: (value, others[name]) for name, value in flat.items() if value != others[name]}


def _flat(config: NetworkConfig) -> dict[str, object]:
    choices = config.model_dump(exclude={"backbone"})
    return {**choices, **{f"backbone.{name}": value for name, value in config.backbone.model_dump().items()}}
