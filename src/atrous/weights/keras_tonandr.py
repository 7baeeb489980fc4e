"""tonandr's Keras port: a part of MobileNetV2, the searched cell, and a 3x3 convolution to the classes.

Layers of context and classifier have the names that Keras makes, numbered in the order in which they are created.
"""

import re

from atrous.errors import CheckpointError
from atrous.networks import PUBLISHED_CELL, DeepLabV3Config, MobileNetV2Config
from atrous.networks.backbones.mobilenet_v2 import scaled_channels
from atrous.networks.layers import BatchNormConfig
from atrous.weights.known_pixels import TENSORFLOW_PIXELS
from atrous.weights.renaming import Given, Layout, Source, convolution_hwio, depthwise_hwim, layout_of, zeros

BLOCKS_PER_LEVEL = (3, 3, 7, 4)
EPSILON = 1e-3


def tonandr_layout(given: Given) -> Layout:
    """Return the layout of a file of tonandr/deeplabv3plus_keras on MobileNetV2, with the cell of its configuration.

    Raises:
        CheckpointError: If its cell has another number of branches than the published one.
    """
    depthwise, convolutions, norms = (_numbered(given, kind) for kind in _KINDS)
    branches = len(PUBLISHED_CELL)
    if (len(depthwise), len(convolutions), len(norms)) != (branches, branches + 2, 2 * branches + 1):
        raise CheckpointError(
            f"the cell of this file has {len(depthwise)} branches; that of tonandr's configuration has {branches}"
        )
    stem, deepest = given["Conv1/kernel"].shape[3], given[f"{depthwise[0]}/depthwise_kernel"].shape[2]
    levels = 3 if "block_12_project/kernel" in given else 2
    config = DeepLabV3Config.model_validate(
        {
            "backbone": MobileNetV2Config.model_validate({"width": _width(stem, deepest, levels), "levels": levels}),
            "output_stride": 2 ** (levels + 1),
            "cell": PUBLISHED_CELL,
            "cell_projections": True,
            "classifier_kernel": 3,
            "separable": True,
            "separable_norm": False,
            "context_channels": given[f"{convolutions[0]}/kernel"].shape[3],
            "pixels": TENSORFLOW_PIXELS,
            "padding": "same",
            "resize": "asymmetric",
            "batch_norm": BatchNormConfig(epsilon=EPSILON),
        }
    )
    num_classes = given[f"{convolutions[-1]}/kernel"].shape[3]

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part == "backbone":
            return _mobilenet_v2(place)
        if part == "classifier":
            return convolution_hwio(f"{convolutions[-1]}/kernel") if place == "weight" else zeros(num_classes)
        if place.startswith("projection."):
            return _pair(place, convolutions[-2], norms[-1])
        _, branch, step, layer, *_ = place.split(".")
        index = int(branch)
        if step == "depthwise":
            return depthwise_hwim(f"{depthwise[index]}/depthwise_kernel")
        if step == "pointwise" and layer == "convolution":
            return convolution_hwio(f"{depthwise[index]}/pointwise_kernel")
        return _pair(place, convolutions[index], norms[2 * index + (step == "projection")])

    notes = (
        "the cell's branches and rates are those of the port's configuration; the weights do not say them",
        "its last convolution has no bias; here it is zero",
    )
    return layout_of("tonandr/deeplabv3plus_keras", config, num_classes, name, notes=notes)


_KINDS = ("separable_conv2d", "conv2d", "batch_normalization")


def _numbered(given: Given, kind: str) -> list[str]:
    """The layers of a kind in the order of their numbers, of which Keras leaves the first one out."""
    found = {}
    for name in given:
        if match := re.fullmatch(rf"({kind}(?:_v\d)?(?:_(\d+))?)/.*", name):
            found[match[1]] = int(match[2] or 0)
    return sorted(found, key=found.__getitem__)


def _width(stem: int, deepest: int, levels: int) -> float:
    """The width of a MobileNetV2 of which only a part is there."""
    paper = {2: 32, 3: 96}[levels]
    known = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
    fitting = [w for w in known if (scaled_channels(32, w), scaled_channels(paper, w)) == (stem, deepest)]
    return fitting[0] if fitting else deepest / paper


def _mobilenet_v2(place: str) -> str | Source | None:
    part, *rest = place.split(".")
    if part == "stem":
        return _pair(place, "Conv1", "bn_Conv1")
    level, block, _, where, *_ = rest
    number = sum(BLOCKS_PER_LEVEL[: int(level)]) + int(block)
    home = f"block_{number}_{where}" if number else f"expanded_conv_{where}"
    return _pair(place, home, f"{home}_BN", depthwise=where == "depthwise")


def _pair(place: str, convolution: str, norm: str, *, depthwise: bool = False) -> str | Source | None:
    layer, role = place.rsplit(".", 2)[-2:]
    if layer == "convolution":
        kernel = "depthwise_kernel" if depthwise else "kernel"
        return (depthwise_hwim if depthwise else convolution_hwio)(f"{convolution}/{kernel}")
    roles = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    return f"{norm}/{roles[role]}" if role in roles else None
