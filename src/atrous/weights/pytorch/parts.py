"""Names of the parts that several libraries share."""

from collections.abc import Callable
from typing import Any

import torch

from atrous.networks import NetworkConfig, build_network
from atrous.weights.renaming import COUNTER, Given

IN_A_MODULE = ("weight", "bias", "running_mean", "running_var", COUNTER)
"""The order in which PyTorch's modules define their tensors."""


def pair(place: str, convolution: str, norm: str) -> str:
    """Return "convolution.weight" or "norm.bias" at the end of a name of ours in words of theirs."""
    layer, tensor = place.rsplit(".", 2)[-2:]
    return f"{ {'convolution': convolution, 'norm': norm}[layer] }.{tensor}"


def numbered(place: str, first: int = 0) -> str:
    """As `pair`, where a convolution and its norm are numbered."""
    return pair(place, str(first), str(first + 1))


def resnet(place: str) -> str:
    """The name in torchvision's, and so almost everyone's, ResNet."""
    part, *rest = place.split(".")
    if part == "stem":
        return pair(place, "conv1", "bn1")
    stage, block, where, *inner = rest
    home = f"layer{int(stage) + 1}.{block}"
    if where == "shortcut":
        return f"{home}.downsample.{numbered(place)}"
    number = int(inner[0]) + 1
    return f"{home}.{pair(place, f'conv{number}', f'bn{number}')}"


def resnet_depth(given: Given, prefix: str) -> int | None:
    """The depth of a ResNet with torchvision's names, from its numbers of blocks and the kind of the first."""
    blocks = tuple(
        len({name.split(".")[1] for name in _below(given, prefix) if name.startswith(f"layer{stage}.")})
        for stage in range(1, 5)
    )
    return resnet_depth_of(blocks, basic=f"{prefix}layer1.0.conv3.weight" not in given)


def resnet_depth_of(blocks: tuple[int, ...], *, basic: bool) -> int | None:
    """The depth of a ResNet with so many blocks in its stages, which are basic ones or bottlenecks."""
    depths: dict[tuple[int, ...], int] = {
        (2, 2, 2, 2): 18,
        (3, 4, 6, 3): 34 if basic else 50,
        (3, 4, 23, 3): 101,
        (3, 8, 36, 3): 152,
    }
    return depths.get(blocks)


def in_order(
    config: NetworkConfig, given: Given, prefixes: tuple[str, ...], key: Callable[[str], Any] | None = None
) -> dict[str, str]:
    """Their name of each tensor of our backbone, where both name them in the order in which they are used.

    Args:
        config: Our network.
        given: Their tensors.
        prefixes: How the names of their backbone begin.
        key: Sorts these names as their network defines them, since safetensors keep no order; by default the file's.

    Raises:
        ValueError: If the numbers of tensors differ.
    """
    with torch.device("meta"):
        own = build_network(config, 2).backbone.state_dict()
    theirs = [name for name in given if name.startswith(prefixes)]
    return dict(zip(own, theirs if key is None else sorted(theirs, key=key), strict=True))


def by_number(name: str) -> tuple[list[tuple[int, str]], int]:
    """Sorts names whose modules are numbered in the order of their use."""
    *modules, tensor = name.split(".")
    places = [(int(module), "") if module.isdecimal() else (-1, module) for module in modules]
    return places, IN_A_MODULE.index(tensor)


def _below(given: Given, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in given if name.startswith(prefix)]


def aspp(place: str, count: int) -> str:
    """The name in torchvision's ASPP with `count` atrous branches; also SMP's and VainF's."""
    branch, *rest = place.split(".")
    match branch:
        case "pointwise":
            return f"convs.0.{numbered(place)}"
        case "pyramid":
            return f"convs.{int(rest[0]) + 1}.{numbered(place)}"
        case "image_pooling":  # behind the pooling itself
            return f"convs.{count + 1}.{numbered(place, 1)}"
        case _:
            return f"project.{numbered(place)}"


def rate_count(given: Given, prefix: str) -> int:
    """How many atrous branches an ASPP with torchvision's names has."""
    numbers = {int(name.split(".")[1]) for name in _below(given, prefix) if name.startswith("convs.")}
    return max(numbers, default=1) - 1


def separable(place: str) -> str:
    """The name in SMP's separable convolution: depthwise, pointwise, norm."""
    part, layer, tensor = place.split(".")
    if part == "depthwise":
        return f"0.0.{tensor}"
    return f"0.1.{tensor}" if layer == "convolution" else f"1.{tensor}"
