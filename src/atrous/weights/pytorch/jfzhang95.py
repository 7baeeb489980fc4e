"""jfzhang95's pytorch-deeplab-xception, from which giovanniguidi's descends: v3+ on ResNet-101, MobileNetV2 and DRN.

Its fourth backbone, an Xception, is not TensorFlow's, and was never released with weights.
"""

from atrous.networks import (
    BackboneConfig,
    DeepLabV3PlusConfig,
    DRNConfig,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
)
from atrous.networks.backbones.mobilenet_v2 import width_of
from atrous.weights.pytorch.parts import in_order, numbered, pair, resnet, resnet_depth
from atrous.weights.pytorch.torchvision import BLOCKS_PER_LEVEL
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of

PORT = "jfzhang95/pytorch-deeplab-xception"


def jfzhang95_layout(given: Given) -> Layout | None:
    """Return the layout of jfzhang95's pytorch-deeplab-xception, also giovanniguidi's, or none."""
    if "aspp.aspp1.atrous_conv.weight" not in given or "decoder.last_conv.8.weight" not in given:
        return None
    backbone = _backbone(given)
    if backbone is None:
        return None
    config = DeepLabV3PlusConfig(
        backbone=backbone,
        output_stride=8 if backbone.kind == "drn" else 16,
        separable=False,
        resize="align_corners",
    )
    stride = "output stride 8, its only one on a DRN," if backbone.kind == "drn" else "output stride 16"
    notes = (f"{stride} and the rates of the backbone are the port's own; the tensors do not say them",)
    names = _names(_resnet_or_mobilenet(backbone) or in_order(config, given, ("backbone.",)).__getitem__)
    classes = given["decoder.last_conv.8.weight"].shape[0]
    return layout_of(PORT, config, classes, names, notes=notes)


def jfzhang95_names(config: NetworkConfig) -> Namer | None:
    """Return jfzhang95's names for the tensors of a network, or none if it has no such network."""
    inner = _resnet_or_mobilenet(config.backbone) if isinstance(config, DeepLabV3PlusConfig) else None
    return None if inner is None else _names(inner)


def _backbone(given: Given) -> BackboneConfig | None:
    depth = resnet_depth(given, "backbone.")
    stem = given.get("backbone.features.0.0.weight")
    if stem is not None:
        width = width_of(stem.shape[0], given["backbone.features.17.conv.7.weight"].shape[0])
        return MobileNetV2Config(width=width, padded="block", lost_stride="stage_keeps_rate")
    if "backbone.layer8.0.weight" in given or "backbone.layer8.0.conv1.weight" in given:
        return _drn(given)
    if depth is None:
        return None
    return ResNetConfig.model_validate({"depth": depth, "lost_stride": "doubles_rate", "multi_grid": (1, 2, 4)})


def _drn(given: Given) -> DRNConfig | None:
    """The DRN of so many blocks in its levels 3 to 6."""
    homes = [f"backbone.layer{level}." for level in range(3, 7)]
    counts = tuple(len({name.split(".")[2] for name in given if name.startswith(home)}) for home in homes)
    basic = "backbone.layer3.0.conv3.weight" not in given
    plain = "backbone.layer0.0.weight" in given
    variants: dict[tuple[tuple[int, ...], bool, bool], str] = {
        ((2, 2, 2, 2), True, False): "C-26",
        ((3, 4, 6, 3), True, False): "C-42",
        ((3, 4, 6, 3), False, False): "C-58",
        ((2, 2, 2, 2), True, True): "D-22",
        ((3, 4, 6, 3), True, True): "D-38",
        ((3, 4, 6, 3), False, True): "D-54",
        ((3, 4, 23, 3), False, True): "D-105",
    }
    variant = variants.get((counts, basic, plain))
    return None if variant is None else DRNConfig.model_validate({"variant": variant})


def _resnet_or_mobilenet(backbone: BackboneConfig) -> Namer | None:
    match backbone:
        case ResNetConfig():
            return resnet
        case MobileNetV2Config():
            return _mobilenet_v2
        case _:
            return None


def _mobilenet_v2(place: str) -> Source:
    """Each tensor has two names: of all layers, and of those before or behind the low level."""
    name = _feature(place)
    half = "low" if int(name.split(".")[0]) < 4 else "high"
    names = (f"backbone.features.{name}", f"backbone.{half}_level_features.{name}")
    return Source(names, "stored twice", write=lambda ours: (ours, ours))


def _feature(place: str) -> str:
    part, *rest = place.split(".")
    if part == "stem":
        return f"0.{numbered(place)}"
    level, block, _, where, *_ = rest
    number = sum(BLOCKS_PER_LEVEL[: int(level)]) + int(block)
    index = 3 * (("expand", "depthwise", "project").index(where) - (number == 0))  # the first block does not expand
    return f"{number + 1}.conv.{numbered(place, index)}"


def _names(inner: Namer) -> Namer:
    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part != "backbone":
            return _head(part, place)
        theirs = inner(place)
        return f"backbone.{theirs.removeprefix('backbone.')}" if isinstance(theirs, str) else theirs

    return name


def _head(part: str, place: str) -> str:
    """The name of a tensor of context, decoder or classifier."""
    if part == "classifier":
        return f"decoder.last_conv.8.{place}"
    branch, *rest = place.split(".")
    match branch:
        case "pointwise":
            return f"aspp.aspp1.{pair(place, 'atrous_conv', 'bn')}"
        case "pyramid":
            return f"aspp.aspp{int(rest[0]) + 2}.{pair(place, 'atrous_conv', 'bn')}"
        case "image_pooling":
            return f"aspp.global_avg_pool.{numbered(place, 1)}"
        case "projection":
            return f"aspp.{pair(place, 'conv1', 'bn1')}"
        case "low_level":
            return f"decoder.{pair(place, 'conv1', 'bn1')}"
        case _:
            return f"decoder.last_conv.{numbered(place, 4 * int(rest[0]))}"
