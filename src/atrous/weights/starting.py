"""Starting a training from weights: what fits is taken, classes by their names, and what is new is said."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from atrous.errors import CheckpointError, ConfigError
from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig, SegmentationNetwork
from atrous.networks.segmentation import classifiers_of
from atrous.weights.checkpoint import load_checkpoint, read_info

FREE = {"level", "level_block", "multi_grid", "lost_stride"}
"""Choices of a backbone that its weights do not depend on."""


class Start(NamedTuple):
    """What a network took from a checkpoint."""

    kept_classes: tuple[str, ...]
    """Whose rows of the classifier were taken, by their names."""
    new: tuple[str, ...]
    """Parts that begin at random."""
    folded_norms: tuple[str, ...]
    """Norms that were taken and had been folded into their convolutions, so that calibrating them helps training; none
    that is new, for what is new is normalized from the beginning."""

    def words(self, path: Path, known: LabelSpace, wanted: LabelSpace) -> str:
        """Say it in a sentence."""
        kept = f"kept {len(self.kept_classes)} of its {known.num_classes} classes by name"
        of = f", of {wanted.num_classes} here"
        new = f"; new: {', '.join(self.new)}" if self.new else ""
        return f"Starting from {path.name}: {kept}{of}{new}"


def network_of(path: Path) -> NetworkConfig:
    """Return the network config of a checkpoint, for a recipe that does not choose its own.

    Raises:
        CheckpointError: If it is none, or classifies whole images.
    """
    config = read_info(path).network
    if config.kind == "image_classifier":
        raise CheckpointError(
            f"{path} classifies whole images: choose a `network` in the recipe, on a {config.backbone.kind}."
        )
    return config


def start_from(
    network: SegmentationNetwork, config: NetworkConfig, labels: LabelSpace, path: Path
) -> tuple[Start, str]:
    """Copy the weights of a checkpoint into a network that was just built.

    The backbone must be the same. Of context and decoder each convolution with its norm is taken if it has the same
    shape, and begins at random otherwise; of a classifier the classes that have the same name.

    Args:
        network: Of `config` and as many classes as `labels` has; it is changed.
        config: Its choices.
        labels: Its classes.
        path: The checkpoint.

    Returns:
        What was taken, and that in words.

    Raises:
        CheckpointError: If it is no checkpoint.
        ConfigError: If its backbone, padding or pixel scale differs from what `config` chooses.
    """
    start = load_checkpoint(path)
    theirs, ours = _grown_up_with(start.info.network), _grown_up_with(config)
    if differing := [choice for choice, value in theirs.items() if value != ours[choice]]:
        names = ", ".join(f"`network.{choice}`" for choice in differing)
        words = " ".join(f"'network.{choice}={json.dumps(theirs[choice])}'" for choice in differing)
        raise ConfigError(
            f"`training.start_from`: the weights in {path} have another {names} than the recipe: leave `network` out "
            f"to take theirs where they segment, or add {words}."
        )
    given, own = start.network.state_dict(), network.state_dict()
    heads = {f"{name}.{role}" for name, _ in classifiers_of(network) for role in ("weight", "bias")}
    taken = _that_fit(own, given, heads)
    kept = _by_name(own, given, heads, labels, start.info.labels)
    network.load_state_dict({**own, **taken, **kept.tensors})
    missing = {name.split(".")[0] for name in own if name not in taken and name not in kept.tensors}
    folded = tuple(name for name in _norms_if_folded(start.network) if f"{name}.running_mean" in taken)
    begun = Start(kept.names, tuple(sorted(missing)), folded)
    return begun, begun.words(path, start.info.labels, labels)


def _grown_up_with(config: NetworkConfig) -> dict[str, Any]:
    """The choices that the weights of a network depend on, as far as its backbone goes."""
    return {
        "backbone": config.backbone.model_dump(exclude=FREE),
        "padding": config.padding,
        "pixels": config.pixels.model_dump(),
        "batch_norm.epsilon": config.batch_norm.epsilon,
    }


def _that_fit(own: dict[str, Tensor], given: dict[str, Tensor], heads: set[str]) -> dict[str, Tensor]:
    """What is taken as it is: of the same name and shape, and never a norm without the convolution before it."""
    fitting = [
        name
        for name, tensor in own.items()
        if name not in heads and name in given and given[name].shape == tensor.shape
    ]
    torn = {_block(name) for name in own.keys() - set(fitting)}
    return {name: given[name] for name in fitting if _block(name) not in torn}


def _block(name: str) -> str:
    """What holds the layer of a tensor, such as a convolution and its norm."""
    return name.rsplit(".", 2)[0]


class _Kept(NamedTuple):
    names: tuple[str, ...]
    tensors: dict[str, Tensor]


def _by_name(
    own: dict[str, Tensor], given: dict[str, Tensor], heads: set[str], wanted: LabelSpace, known: LabelSpace
) -> _Kept:
    """The rows of the classifiers whose classes both have."""
    shared = [name for name in wanted.names if name in known.names]
    ours, theirs = [wanted.names.index(name) for name in shared], [known.names.index(name) for name in shared]
    tensors = {}
    for head in heads:
        if head in given and given[head].shape[1:] == own[head].shape[1:] and shared:
            rows = own[head].clone()
            rows[ours] = given[head][theirs]
            tensors[head] = rows
    return _Kept(tuple(shared) if tensors else (), tensors)


def _norms_if_folded(network: nn.Module) -> list[str]:
    """The names of all batch norms of a network in which they were folded."""
    norms = {name: module for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    folded = all(norm.running_mean is not None and not norm.running_mean.any() for norm in norms.values())
    return list(norms) if folded else []


@torch.no_grad()
def calibrate_norms(network: SegmentationNetwork, names: Iterable[str], images: Iterable[Tensor]) -> int:
    """Give batch norms the statistics of a few pictures, and the scale and shift that undo them.

    The function stays as it is, to rounding; but training can now normalize by batches. It is what brings back norms
    that were folded into convolutions.

    Args:
        network: It is changed, and left in the mode in which it was.
        names: Of the norms.
        images: float [B, bands, H, W] in 0..1, of any sizes.

    Returns:
        How many pictures were seen.

    Raises:
        ValueError: If there is no picture.
    """
    norms = [module for name in names if isinstance(module := network.get_submodule(name), nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}
    handles = [norm.register_forward_pre_hook(lambda m, inputs: _add(sums[m], inputs[0])) for norm in norms]
    mode, count = network.training, 0
    try:
        network.eval()
        for image in images:
            network.low_resolution_logits(image)
            count += image.shape[0]
    finally:
        for handle in handles:
            handle.remove()
        network.train(mode)
    if not count:
        raise ValueError("norms are calibrated on pictures: give at least one.")
    for norm in norms:
        if sums[norm][0, 0] > 1:
            _adopt(norm, sums[norm])
    return count


def _add(sums: Tensor, x: Tensor) -> None:
    """Count, sum and sum of squares of each channel."""
    values = x.detach().double().cpu().transpose(0, 1).flatten(1)
    sums += torch.stack([torch.full_like(values[:, 0], values.shape[1]), values.sum(1), values.square().sum(1)])


def _adopt(norm: nn.BatchNorm2d, sums: Tensor) -> None:
    count, total, squares = sums
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=1e-6)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double().cpu() / (norm.running_var.double().cpu() + norm.eps).sqrt()
    shift = norm.bias.double().cpu() - scale * norm.running_mean.double().cpu()
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * mean)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
