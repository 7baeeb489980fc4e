"""torchvision: DeepLabv3 on ResNet and MobileNetV3, LR-ASPP, and the classifiers that their backbones were."""

import torch

from atrous.networks import (
    AuxiliaryHeadConfig,
    BackboneConfig,
    DeepLabV3Config,
    ImageClassifierConfig,
    LiteDeepLabConfig,
    MobileNetV2Config,
    MobileNetV3Config,
    NetworkConfig,
    ResNetConfig,
    VGG16Config,
)
from atrous.networks.backbones.mobilenet_v2 import width_of
from atrous.weights.pytorch.parts import aspp, by_number, in_order, numbered, rate_count, resnet, resnet_depth
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of, linear

BLOCKS_PER_LEVEL = (3, 3, 7, 4)
"""Of MobileNetV2, in our levels; torchvision numbers its blocks through."""


def torchvision_layout(given: Given) -> Layout | None:
    """Return the layout of a state dict of torchvision, or none if it is not one."""
    if "classifier.low_classifier.weight" in given:
        return _lite(given)
    if "classifier.0.convs.0.0.weight" in given and "classifier.4.weight" in given:
        return _deeplab_v3(given)
    if "layer1.0.conv1.weight" in given and "conv1.weight" in given and "fc.weight" in given:
        return _resnet_classifier(given)
    if "features.18.0.weight" in given and "classifier.1.weight" in given:
        return _mobilenet_v2_classifier(given)
    if "features.0.1.running_mean" in given and "classifier.3.weight" in given:
        return _mobilenet_v3_classifier(given)
    if "features.28.bias" in given and "classifier.6.weight" in given:
        return _vgg16_classifier(given)
    return None


def _deeplab_v3(given: Given) -> Layout | None:
    count = rate_count(given, "classifier.0.")
    depth = resnet_depth(given, "backbone.")
    rates = (6, 12, 18) if count == 3 else tuple(6 * (number + 1) for number in range(count))
    num_classes = given["classifier.4.weight"].shape[0]
    has_auxiliary = any(name.startswith("aux_classifier.") for name in given)
    if depth is not None:
        backbone: BackboneConfig = ResNetConfig.model_validate({"depth": depth})
        config = DeepLabV3Config(
            backbone=backbone,
            output_stride=8,
            rates=rates,
            head_convolution=True,
            auxiliary=AuxiliaryHeadConfig() if has_auxiliary else None,
        )
        return layout_of(
            "torchvision", config, num_classes, _deeplab_v3_names(config, _resnet_in_backbone), notes=_NOTES
        )
    if "backbone.16.0.weight" in given:
        config = DeepLabV3Config(
            backbone=MobileNetV3Config(level_block="first", lost_stride="doubles_rate"),
            rates=tuple(2 * rate for rate in rates),
            head_convolution=True,
            auxiliary=AuxiliaryHeadConfig(levels_before_deepest=2) if has_auxiliary else None,
        )
        names = _deeplab_v3_names(config, in_order(config, given, ("backbone.",), by_number).__getitem__)
        return layout_of("torchvision", config, num_classes, names, notes=_NOTES)
    return None


def _resnet_in_backbone(place: str) -> str:
    return f"backbone.{resnet(place)}"


def _deeplab_v3_names(config: DeepLabV3Config, inner: Namer) -> Namer:
    count = len(config.rates)

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        match part:
            case "backbone":
                return inner(place)
            case "context" if place.startswith("head."):
                return f"classifier.{numbered(place, 1)}"
            case "context":
                return f"classifier.0.{aspp(place, count)}"
            case "classifier":
                return f"classifier.4.{place}"
            case _:
                return f"aux_classifier.{auxiliary(place)}"

    return name


def auxiliary(place: str) -> str:
    """The name in torchvision's FCN head."""
    part, *_, tensor = place.split(".")
    return f"4.{tensor}" if part == "classifier" else numbered(place)


def _lite(given: Given) -> Layout:
    num_classes = given["classifier.low_classifier.weight"].shape[0]
    config = LiteDeepLabConfig(backbone=MobileNetV3Config(level_block="first", lost_stride="doubles_rate"))
    names = in_order(config, given, ("backbone.",), by_number)
    deep = config.context_channels

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        match part:
            case "backbone":
                return names[place]
            case "context" if place.startswith("projection."):
                return f"classifier.cbr.{numbered(place)}"
            case "context":
                return f"classifier.scale.1.{place.rsplit('.', 1)[-1]}"
            case _:
                return _two_classifiers(place, deep)

    return layout_of("torchvision", config, num_classes, name, notes=_NOTES)


def _two_classifiers(tensor: str, deep: int) -> Source:
    """One classifier of the concatenation is the sum of theirs of each part."""
    names = (f"classifier.high_classifier.{tensor}", f"classifier.low_classifier.{tensor}")
    if tensor == "weight":
        return Source(
            names, "concatenated", lambda t: torch.cat(list(t), dim=1), lambda ours: (ours[:, :deep], ours[:, deep:])
        )
    return Source(names, "added", lambda t: t[0] + t[1], lambda ours: (ours, torch.zeros_like(ours)))


def _resnet_classifier(given: Given) -> Layout | None:
    depth = resnet_depth(given, "")
    if depth is None:
        return None
    config = ImageClassifierConfig(backbone=ResNetConfig.model_validate({"depth": depth}))
    return layout_of("torchvision or timm", config, given["fc.weight"].shape[0], _resnet_names, notes=_NOTES)


def _resnet_names(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "backbone":
        return resnet(place)
    return linear("fc.weight") if place == "weight" else "fc.bias"


def _mobilenet_v2_classifier(given: Given) -> Layout:
    width = width_of(given["features.0.0.weight"].shape[0], given["features.17.conv.3.weight"].shape[0])
    hidden = given["features.18.0.weight"].shape[0]
    config = ImageClassifierConfig(backbone=MobileNetV2Config(width=width), hidden_channels=hidden)
    return layout_of("torchvision", config, given["classifier.1.weight"].shape[0], _mobilenet_v2_names, notes=_NOTES)


def _mobilenet_v2_names(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    match part:
        case "backbone":
            return mobilenet_v2(place)
        case "context":
            return f"features.18.{numbered(place)}"
        case _:
            return linear("classifier.1.weight") if place == "weight" else "classifier.1.bias"


def _mobilenet_v3_classifier(given: Given) -> Layout:
    large = "features.16.0.weight" in given
    config = ImageClassifierConfig(
        backbone=MobileNetV3Config(
            size="large" if large else "small", width=given["features.0.0.weight"].shape[0] / 16
        ),
        pooled_channels=given["classifier.0.weight"].shape[0],
    )
    names = in_order(config, given, ("features.",), by_number)

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part == "backbone":
            return names[place]
        home = "classifier.0" if part == "context" else "classifier.3"
        return linear(f"{home}.weight") if place.endswith("weight") else f"{home}.bias"

    return layout_of("torchvision", config, given["classifier.3.weight"].shape[0], name)


def _vgg16_classifier(given: Given) -> Layout:
    config = ImageClassifierConfig(backbone=VGG16Config(pools="torchvision"))
    names = in_order(config, given, ("features.",), by_number)
    classifier = frozenset(name for name in given if name.startswith("classifier."))
    notes = (
        "its classifier sees a grid of 7x7 cells and is left out; --allow-partial 'classifier.*' takes the backbone "
        "alone, to start a training from",
    )

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        return names[place] if part == "backbone" else None

    classes = given["classifier.6.weight"].shape[0]
    return layout_of("torchvision", config, classes, name, ignored=classifier, notes=notes)


def torchvision_names(config: NetworkConfig) -> Namer | None:
    """Return torchvision's names for the tensors of a network, or none if it has no such network."""
    match config, config.backbone:
        case DeepLabV3Config(), ResNetConfig():
            return _deeplab_v3_names(config, _resnet_in_backbone)
        case ImageClassifierConfig(), ResNetConfig():
            return _resnet_names
        case ImageClassifierConfig(), MobileNetV2Config():
            return _mobilenet_v2_names
        case _:
            return None


def mobilenet_v2(place: str) -> str:
    """The name in torchvision's MobileNetV2."""
    part, *rest = place.split(".")
    if part == "stem":
        return f"features.0.{numbered(place)}"
    level, block, _, where, layer, tensor = rest
    number = sum(BLOCKS_PER_LEVEL[: int(level)]) + int(block)
    index = ("expand", "depthwise", "project").index(where) - (number == 0)  # the first block does not expand
    is_norm = layer == "norm"
    inner = f"{index + is_norm}" if where == "project" else f"{index}.{int(is_norm)}"
    return f"features.{number + 1}.conv.{inner}.{tensor}"


_NOTES = ("output stride and rates are those of torchvision's own weights; the tensors do not say them",)
