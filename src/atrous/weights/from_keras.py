"""Keras: its own backbones, bonlime's DeepLab v3+, and tonandr's with the searched cell."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import ImageClassifierConfig, NetworkConfig, ResNetConfig, VGG16Config
from atrous.networks.layers import BatchNormConfig
from atrous.weights.formats.keras_h5 import KerasFile
from atrous.weights.from_tensorflow import tensorflow_layout
from atrous.weights.keras_tonandr import tonandr_layout
from atrous.weights.known_pixels import KERAS_PIXELS
from atrous.weights.pytorch.parts import resnet_depth_of
from atrous.weights.renaming import Given, Layout, Source, convolution_hwio, layout_of

RESNET_EPSILON = 1.001e-5

_NORM_ROLES = {"gamma": "gamma", "beta": "beta", "moving_mean": "moving_mean", "moving_variance": "moving_variance"}
_ROLES = {"kernel": "weights", "depthwise_kernel": "depthwise_weights", "bias": "biases"}


def keras_tensors(file: KerasFile) -> dict[str, Tensor]:
    """Return the weights of a file, with dense layers as the 1x1 convolutions that they are, in Keras 2's names."""
    tensors = {}
    for name, tensor in file.weights.items():
        layer, _, role = name.rpartition("/")
        if role == "kernel" and re.search(r"depthwise$|^conv_dw_", layer):  # as Keras 3 calls it
            role = "depthwise_kernel"
        tensors[f"{layer}/{role}"] = tensor[None, None] if tensor.ndim == 2 and role == "kernel" else tensor
    return tensors


def keras_layout(given: Given, source: str) -> Layout:
    """Return the layout of a file's weights, recognised by the names of its layers.

    Raises:
        CheckpointError: If they are of no network that is known here; it shows the first names.
    """
    names = {name.split("/")[0] for name in given}
    if "block4_sepconv1" in names:
        raise CheckpointError(
            f"{source} holds Keras's own Xception, which is another network than DeepLab's: take Xception-65 of "
            "research/deeplab or of bonlime."
        )
    if {"conv1_conv", "conv2_block1_1_conv"} <= names:
        return _resnet(given, source, _resnet_place)
    if {"conv1", "res2a_branch2a"} <= names:
        return _resnet(given, source, _old_resnet_place)
    if {"block1_conv1", "block5_conv3"} <= names:
        return _vgg16(given)
    if any(name.startswith("separable_conv2d") for name in names) and "expanded_conv_depthwise" in names:
        return tonandr_layout(given)
    for library, words in (("Keras applications", _applications), ("bonlime/keras-deeplab-v3-plus", _bonlime)):
        if all(words(name) is not None for name in given):
            return _in_words_of_tensorflow(given, source, library, words)
    first = ", ".join(sorted(names)[:3])
    raise CheckpointError(
        f"{source} has layers of no network that is known here ({first}, ...): there are MobileNet, MobileNetV2, "
        "ResNet and VGG16 of Keras, DeepLab v3+ of bonlime, and that of tonandr."
    )


def _in_words_of_tensorflow(given: Given, source: str, library: str, words: Callable[[str], str | None]) -> Layout:
    """The layout of weights that are TensorFlow's under other names."""
    original = {words(name) or name: name for name in given}
    layout = tensorflow_layout({theirs: given[name] for theirs, name in original.items()}, source)
    sources = {
        ours: Source(tuple(original.get(name, name) for name in found.names), found.how, found.read, found.write)
        for ours, found in layout.sources.items()
    }
    return layout._replace(ecosystem=library, sources=sources, **_own_ways(layout.config, words is _bonlime))


def _own_ways(config: NetworkConfig, is_bonlime: bool) -> dict[str, Any]:
    """In what Keras's networks differ from the authors', with a note where the weights do not say it."""
    match config.backbone.kind:
        case "mobilenet_v2" if is_bonlime:
            notes = ("output stride 8 is the port's only one on MobileNetV2",)
            return {"config": config.model_copy(update={"output_stride": 8}), "notes": notes}
        case "mobilenet_v1":
            return {"config": config.model_copy(update={"padding": "same_stem_then_behind"})}
        case "xception":
            return {"config": config.model_copy(update={"padding": "same_stem"})}
        case _:
            return {}


def _translated(name: str, scope: Callable[[str], str | None]) -> str | None:
    """The variable of TensorFlow for `layer/role`, given the scope of each layer of convolutions."""
    layer, _, role = name.rpartition("/")
    if role in _NORM_ROLES:
        match = re.fullmatch(r"(.+)_(?:BN|bn)|bn_(.+)", layer)
        place = scope(match[1] or match[2]) if match else None
        return None if place is None else f"{place}/BatchNorm/{role}"
    place = scope(layer)
    return None if place is None or role not in _ROLES else f"{place}/{_ROLES[role]}"


def _applications(name: str) -> str | None:
    """The variable of slim for a weight of Keras's MobileNet or MobileNetV2."""
    return _translated(name, _applications_scope)


def _applications_scope(layer: str) -> str | None:
    if match := re.fullmatch(r"(?:block_(\d+)_|expanded_conv_)(expand|depthwise|project)", layer):
        block = f"expanded_conv_{match[1]}" if match[1] else "expanded_conv"
        return f"MobilenetV2/{block}/{match[2]}"
    if match := re.fullmatch(r"conv_(dw|pw)_(\d+)", layer):
        return f"MobilenetV1/Conv2d_{match[2]}_{ {'dw': 'depthwise', 'pw': 'pointwise'}[match[1]] }"
    return {
        "Conv1": "MobilenetV2/Conv",
        "Conv_1": "MobilenetV2/Conv_1",
        "Logits": "MobilenetV2/Logits/Conv2d_1c_1x1",
        "predictions": "MobilenetV2/Logits/Conv2d_1c_1x1",
        "conv1": "MobilenetV1/Conv2d_0",
        "conv_preds": "MobilenetV1/Logits/Conv2d_1c_1x1",
    }.get(layer)


def _bonlime(name: str) -> str | None:
    """The variable of research/deeplab for a weight of bonlime's."""
    return _translated(name, _bonlime_scope)


def _bonlime_scope(layer: str) -> str | None:
    if match := re.fullmatch(r"expanded_conv(_\d+)?_(expand|depthwise|project)", layer):
        return f"MobilenetV2/expanded_conv{match[1] or ''}/{match[2]}"
    if match := re.fullmatch(r"entry_flow_conv1_([12])", layer):
        return f"xception_65/entry_flow/conv1_{match[1]}"
    if match := re.fullmatch(r"(entry|exit)_flow_block(\d)_(.+)", layer):
        return f"xception_65/{match[1]}_flow/block{match[2]}/unit_1/xception_module/{match[3]}"
    if match := re.fullmatch(r"middle_flow_unit_(\d+)_(.+)", layer):
        return f"xception_65/middle_flow/block1/unit_{match[1]}/xception_module/{match[2]}"
    if re.fullmatch(r"aspp0|aspp\d_(depthwise|pointwise)|image_pooling|concat_projection", layer):
        return layer
    if re.fullmatch(r"feature_projection0|decoder_conv\d_(depthwise|pointwise)", layer):
        return f"decoder/{layer}"
    if layer == "Conv":
        return "MobilenetV2/Conv"
    return "logits/semantic" if layer in ("logits_semantic", "custom_logits_semantic") else None


def _resnet(given: Given, source: str, place: Callable[[str], tuple[str, str]]) -> Layout:
    """The layout of Keras's ResNet; `place` takes ours to the layers of convolution and norm."""
    counts = _resnet_blocks(given)
    depth = resnet_depth_of(counts, basic=False)
    if depth is None:
        raise CheckpointError(f"{source} holds a ResNet of {counts} blocks, which is none of depth 50, 101 or 152.")
    config = ImageClassifierConfig(
        backbone=ResNetConfig.model_validate({"depth": depth, "stride_in": "1x1"}),
        pixels=KERAS_PIXELS,
        batch_norm=BatchNormConfig(epsilon=RESNET_EPSILON if place is _resnet_place else 1e-3),
    )

    def name(ours: str) -> str | Source | None:
        part, _, inner = ours.partition(".")
        if part == "classifier":
            return _classifier(given, inner)
        convolution, norm = place(inner)
        match inner.rsplit(".", 2)[-2:]:
            case ["convolution", _]:
                return convolution_hwio(f"{convolution}/kernel")
            case [_, "running_mean"]:
                return _less_the_bias(f"{norm}/moving_mean", f"{convolution}/bias")
            case [_, "running_var"]:
                return f"{norm}/moving_variance"
            case [_, "weight"]:
                return f"{norm}/gamma"
            case [_, "bias"]:
                return f"{norm}/beta"
            case _:
                return None

    return layout_of("Keras applications", config, _num_classes(given), name)


def _resnet_blocks(given: Given) -> tuple[int, ...]:
    new = {match[1] + match[2] for name in given if (match := re.match(r"conv([2-5])_block(\d+)_1_conv/kernel", name))}
    old = {match[1] + match[2] for name in given if (match := re.match(r"res([2-5])(.+)_branch2a/kernel", name))}
    return tuple(sum(block.startswith(stage) for block in new or old) for stage in "2345")


def _resnet_place(inner: str) -> tuple[str, str]:
    part, *rest = inner.split(".")
    if part == "stem":
        return "conv1_conv", "conv1_bn"
    stage, block, where, *layers = rest
    number = 0 if where == "shortcut" else int(layers[0]) + 1
    home = f"conv{int(stage) + 2}_block{int(block) + 1}_{number}"
    return f"{home}_conv", f"{home}_bn"


def _old_resnet_place(inner: str) -> tuple[str, str]:
    """Of the first Keras applications, with letters as in Caffe."""
    part, *rest = inner.split(".")
    if part == "stem":
        return "conv1", "bn_conv1"
    stage, block, where, *layers = rest
    branch = "branch1" if where == "shortcut" else f"branch2{'abc'[int(layers[0])]}"
    home = f"{int(stage) + 2}{chr(ord('a') + int(block))}_{branch}"
    return f"res{home}", f"bn{home}"


def _less_the_bias(mean: str, bias: str) -> Source:
    """A running mean, from which the bias of the convolution before is taken; as norms do, it cancels there."""
    return Source(
        (mean, bias), "less the convolution's bias", lambda t: t[0] - t[1], lambda ours: (ours, torch.zeros_like(ours))
    )


def _vgg16(given: Given) -> Layout:
    config = ImageClassifierConfig(backbone=VGG16Config(pools="torchvision"), pixels=KERAS_PIXELS)
    dense = frozenset(name for name in given if name.startswith(("fc", "predictions")))
    notes = (
        "its classifier sees a grid of 7x7 cells and is left out; --allow-partial 'classifier.*' takes the backbone "
        "alone, to start a training from",
    )

    def name(ours: str) -> str | Source | None:
        part, _, inner = ours.partition(".")
        if part != "backbone":
            return None
        _, stage, index, tensor = inner.split(".")
        layer = f"block{int(stage) + 1}_conv{int(index) // 2 + 1}"
        return convolution_hwio(f"{layer}/kernel") if tensor == "weight" else f"{layer}/bias"

    return layout_of("Keras applications", config, _num_classes(given), name, ignored=dense, notes=notes)


def _classifier(given: Given, tensor: str) -> str | Source | None:
    layer = next((name for name in ("predictions", "probs", "fc1000") if f"{name}/kernel" in given), "predictions")
    return convolution_hwio(f"{layer}/kernel") if tensor == "weight" else f"{layer}/bias"


def _num_classes(given: Given) -> int:
    """Of the classifier, or ImageNet's 1000 where the file has none ("no top")."""
    bias = next((given[f"{name}/bias"] for name in ("predictions", "probs", "fc1000") if f"{name}/bias" in given), None)
    return 1000 if bias is None else bias.shape[0]
