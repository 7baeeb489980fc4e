"""Caffe's models of DeepLab v1 and v2: recognised by the names of their layers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import DeepLabV1Config, DeepLabV2Config, NetworkConfig, VGG16Config
from atrous.weights.formats.caffemodel import CaffeLayer
from atrous.weights.known_pixels import CAFFE_PIXELS
from atrous.weights.renaming import Given, Layout, Source, layout_of, renamed

OTHER_SCALES = ("_res075", "_res05", "_res0.75", "_res0.5")
"""Ends of the names of layers that only share the weights of the first scale."""


def caffe_tensors(layers: Sequence[CaffeLayer]) -> dict[str, Tensor]:
    """Return the blobs by "layer/number"; the layers of other scales share those of the first and are left out."""
    return {
        f"{layer.name}/{number}": torch.from_numpy(np.array(blob))
        for layer in layers
        for number, blob in enumerate(layer.blobs)
        if not layer.name.endswith(OTHER_SCALES)
    }


def caffe_layout(layers: Sequence[CaffeLayer], source: str) -> Layout:
    """Return the layout of a caffemodel of DeepLab v1 on VGG-16, or of v2 on ResNet-101 or VGG-16.

    Raises:
        CheckpointError: If it is none; it shows the first layers.
    """
    given = caffe_tensors(layers)
    if "conv1_1/0" in given:
        return _vgg(given, source)
    if "res2a_branch1/0" in given:
        return _resnet(given, source, _epsilon(layers, source))
    first = ", ".join(sorted(given)[:3])
    raise CheckpointError(f"{source} is no DeepLab v1 or v2 of Caffe: its layers begin with {first or 'nothing'}.")


def _epsilon(layers: Sequence[CaffeLayer], source: str) -> float:
    found = {layer.epsilon for layer in layers if layer.type == "BatchNorm" and layer.blobs} or {1e-5}
    if len(found) > 1:
        raise CheckpointError(f"{source} has batch norms of several epsilons: {sorted(found)}, which no DeepLab has.")
    return found.pop()


def _resnet(given: Given, source: str, epsilon: float) -> Layout:
    """DeepLab v2: BatchNorm and Scale follow each convolution; classifiers c0 to c3, or one."""
    heads = sorted({name.split("/")[0] for name in given if name.startswith("fc1_")})
    if not heads:
        raise CheckpointError(f"{source} has a ResNet but no classifier fc1_...: it is no DeepLab v2.")
    num_classes = given[f"{heads[0]}/0"].shape[0]
    rates = tuple(6 * (number + 1) for number in range(len(heads))) if len(heads) > 1 else (12,)
    config = DeepLabV2Config(rates=rates, pixels=CAFFE_PIXELS)
    config = config.model_copy(update={"batch_norm": config.batch_norm.model_copy(update={"epsilon": epsilon})})

    def name(ours: str) -> Source | None:
        part, *rest = ours.split(".")
        if part == "classifier":
            return renamed(f"{heads[int(rest[1])]}/{0 if rest[2] == 'weight' else 1}")
        layer, role = rest[-2], rest[-1]
        unit = None if rest[0] == "stem" else _unit(rest)
        if layer == "convolution":
            return renamed("conv1/0" if unit is None else f"res{unit}/0")
        norm, scale = ("bn_conv1", "scale_conv1") if unit is None else (f"bn{unit}", f"scale{unit}")
        return _norm(given, norm, scale, role)

    ignored = frozenset(name for name in given if name.endswith("/2") and name.startswith("bn"))
    notes = ("batch norms and scales are two layers each; the rates are the paper's, the model does not say them",)
    return layout_of("Caffe", config, num_classes, name, ignored=ignored, notes=notes)


def _unit(rest: list[str]) -> str:
    """The name of a convolution within a ResNet of Caffe: 2a_branch2b, 4b22_branch1."""
    _, stage, block, where, *inner = rest
    number = int(block)
    counts = {"0": 3, "1": 4, "2": 23, "3": 3}
    letter = "abc"[number] if counts[stage] == 3 else "a" if number == 0 else f"b{number}"
    branch = "branch1" if where == "shortcut" else f"branch2{'abc'[int(inner[0])]}"
    return f"{int(stage) + 2}{letter}_{branch}"


def _norm(given: Given, norm: str, scale: str, role: str) -> Source | None:
    """One of the four of a batch norm; Caffe stores sums, with the factor that they are sums of."""
    if role == "num_batches_tracked":
        return None
    if f"{scale}/0" not in given and f"{norm}/3" in given:  # one layer of four blobs: scale, shift, mean, variance
        number = ("weight", "bias", "running_mean", "running_var").index(role)
        return Source((f"{norm}/{number}",), "flattened", lambda t: t[0].reshape(-1), lambda ours: (ours,))
    if role in ("weight", "bias"):
        return renamed(f"{scale}/{0 if role == 'weight' else 1}")
    statistic = f"{norm}/{0 if role == 'running_mean' else 1}"
    return Source(
        (statistic, f"{norm}/2"),
        "divided by its factor",
        lambda t: t[0] / t[1].reshape(-1)[0] if t[1].reshape(-1)[0] != 0 else t[0] * 0,
        lambda ours: (ours, torch.ones(1)),
    )


def _vgg(given: Given, source: str) -> Layout:
    """DeepLab v1, or v2 with an fc6 and fc7 for each rate."""
    heads = sorted({name.split("/")[0] for name in given if name.startswith("fc8")})
    if not heads:
        raise CheckpointError(f"{source} has a VGG-16 but no classifier fc8...: it is no DeepLab.")
    num_classes = given[f"{heads[0]}/0"].shape[0]
    branches = [""] if len(heads) == 1 else [f"_{number + 1}" for number in range(len(heads))]
    hidden, kernel = given[f"fc6{branches[0]}/0"].shape[0], given[f"fc6{branches[0]}/0"].shape[-1]
    config: NetworkConfig
    if len(heads) == 1:
        config = DeepLabV1Config.model_validate(
            {"hidden_channels": hidden, "kernel_size": kernel, "rate": 12 if kernel == 3 else 4, "pixels": CAFFE_PIXELS}
        )
    else:
        rates = tuple(6 * (number + 1) for number in range(len(heads)))
        config = DeepLabV2Config(backbone=VGG16Config(), hidden_channels=hidden, rates=rates, pixels=CAFFE_PIXELS)

    def name(ours: str) -> Source | None:
        part, *rest = ours.split(".")
        number = 0 if rest[-1] == "weight" else 1
        if part == "backbone":
            return renamed(f"conv{int(rest[1]) + 1}_{int(rest[2]) // 2 + 1}/{number}")
        if part == "context":
            return renamed(f"{rest[2]}{branches[int(rest[1])]}/{number}")
        return _classifier([f"{head}/{number}" for head in heads], rest[-1])

    notes = ("the rate of the large field of view is the paper's; the model does not say it",)
    return layout_of("Caffe", config, num_classes, name, notes=notes)


def _classifier(names: list[str], role: str) -> Source:
    """The sum of the classifiers of several branches is one classifier of their concatenation."""
    if len(names) == 1:
        return renamed(names[0])
    if role == "weight":
        return Source(
            tuple(names), "concatenated", lambda t: torch.cat(list(t), dim=1), lambda ours: ours.chunk(len(names), 1)
        )
    return Source(
        tuple(names), "added", lambda t: torch.stack(list(t)).sum(0), lambda ours: [ours / len(names)] * len(names)
    )
