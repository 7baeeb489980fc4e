"""Which backbone stands in a graph: those that are known are built, and their kernels counted."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import nn

from atrous.config import parse
from atrous.networks.backbones import BackboneConfig, build_backbone
from atrous.weights.graphs.layers import Layer
from atrous.weights.graphs.walk import Walk

WIDTHS = (1.0, 0.75, 0.5, 0.25, 0.35, 1.3, 1.4, 0.1, 2.0)


def backbones_of(walk: Walk, deepest: Layer) -> Iterator[BackboneConfig]:
    """Suggest backbones that have exactly the kernels that stand before the deepest features."""
    before = walk.ancestors(deepest)
    layers = [layer for name, layer in walk.layers.items() if name in before and layer.weight is not None]
    found = Counter(layer.weight.shape for layer in layers if layer.weight is not None)
    for choices in _light() if any(layer.depthwise for layer in layers) else _dense():
        if _kernels(json.dumps(choices)) == found:
            for variant in _variants(choices):
                yield parse(BackboneConfig, variant, "a backbone")


@cache
def _kernels(choices: str) -> Counter[tuple[int, ...]]:
    """How often a backbone has which kernel; strides and rates do not change them."""
    config: BackboneConfig = parse(BackboneConfig, json.loads(choices), "a backbone")
    with torch.device("meta"):
        backbone = build_backbone(config, 8)
    return Counter(tuple(module.weight.shape) for module in backbone.modules() if isinstance(module, nn.Conv2d))


def _light() -> Iterator[dict[str, Any]]:
    """Backbones of depthwise convolutions, one for each set of kernels."""
    for width in WIDTHS:
        for kind in ("mobilenet_v2", "mobilenet_v1", "mobilenet_edgetpu"):
            yield {"kind": kind, "width": width}
        yield {"kind": "mobilenet_v2", "width": width, "divisor": 1}
    for size in ("large", "small"):
        for reduced in (False, True):
            yield {"kind": "mobilenet_v3", "size": size, "reduced_tail": reduced}
    for depth in (65, 41, 71):
        yield {"kind": "xception", "depth": depth}


def _dense() -> Iterator[dict[str, Any]]:
    """Backbones of plain convolutions, one for each set of kernels."""
    for depth in (50, 101, 152, 18, 34):
        for stem in ("torchvision", "deeplab", "resnet_c"):
            yield {"kind": "resnet", "depth": depth, "stem": stem}
    for variant in ("C-26", "C-42", "C-58", "D-22", "D-38", "D-54", "D-105"):
        yield {"kind": "drn", "variant": variant}
    yield {"kind": "vgg16"}


def _variants(choices: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same kernels, wired in other ways."""
    wirings: dict[str, tuple[Any, ...]] = {}
    match choices["kind"]:
        case "mobilenet_v2":
            wirings = {"level": ("block", "depthwise")}
        case "mobilenet_v3":
            wirings = {"lost_stride": ("keeps_rate", "doubles_rate"), "level_block": ("last", "first")}
        case "xception":
            wirings = {"multi_grid": ((1, 1, 1), (1, 2, 1), (1, 2, 4))}
        case "vgg16":
            wirings = {"pools": ("torchvision", "caffe")}
        case "resnet":
            grids = ((1, 1, 1), (1, 2, 4), (1, 2, 1)) if choices["depth"] > 34 else ((1, 1, 1),)
            wirings = {"lost_stride": ("keeps_rate", "doubles_rate"), "multi_grid": grids}
            if choices["depth"] > 34:
                wirings |= {"stride_in": ("3x3", "1x1"), "stride_unit": ("first", "last")}
        case _:
            pass
    for values in product(*wirings.values()):
        yield {**choices, **dict(zip(wirings, values, strict=True))}
