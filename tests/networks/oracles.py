"""Copying random weights from networks that others wrote, by explicit names, and comparing the answers."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from atrous.networks import NetworkConfig, SegmentationNetwork, build_network
from tests.networks.randomness import randomize

CONVOLUTION = {"convolution": 0, "norm": 1}


def random_image(*size: int, bands: int = 3) -> Tensor:
    return torch.rand(2, bands, *size, generator=torch.Generator().manual_seed(1))


def built_like(
    theirs: nn.Module,
    config: NetworkConfig,
    renamed: Callable[[str], str],
    changed: Mapping[str, Callable[[Mapping[str, Tensor]], Tensor]] | None = None,
    num_classes: int = 5,
) -> SegmentationNetwork:
    """Our network with the random weights of theirs: each tensor from the name there, or made by `changed`."""
    randomize(theirs.eval())
    tensors, changed = theirs.state_dict(), changed or {}
    ours = build_network(config, num_classes).eval()
    own = {name for name in ours.state_dict() if not name.startswith("pixels.")}
    copies = {name: changed[name](tensors) if name in changed else tensors[renamed(name)] for name in own}
    ours.load_state_dict({**ours.state_dict(), **copies})
    return ours


def backbone_in_order(config: NetworkConfig, theirs: nn.Module) -> dict[str, str]:
    """Their name of each tensor of our backbone, where both name them in the order in which they are used."""
    with torch.device("meta"):
        own = build_network(config, 2).backbone.state_dict()
    names = [name for name in theirs.state_dict() if name.startswith("backbone.")]
    return {f"backbone.{name}": other for name, other in zip(own, names, strict=True)}


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


def number_of_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
