"""VainF's DeepLabV3Plus-Pytorch: DeepLabv3 and v3+ on ResNets and MobileNetV2."""

from atrous.networks import (
    BackboneConfig,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
)
from atrous.networks.backbones.mobilenet_v2 import width_of
from atrous.weights.pytorch.parts import aspp, numbered, resnet, resnet_depth
from atrous.weights.pytorch.torchvision import mobilenet_v2
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of, renamed, reordered


def vainf_layout(given: Given) -> Layout | None:
    """Return the layout of VainF's DeepLabV3Plus-Pytorch, or none."""
    backbone = _backbone(given)
    if backbone is None or (
        "classifier.classifier.0.weight" not in given and "classifier.classifier.4.weight" not in given
    ):
        return None
    plus = "classifier.project.0.weight" in given
    config: NetworkConfig
    if plus:
        config = DeepLabV3PlusConfig(backbone=backbone, separable=False, decoder_convolutions=1)
    else:
        config = DeepLabV3Config(backbone=backbone, head_convolution=True)
    notes = ("output stride 16 is what the port's released weights are trained at; the tensors do not say it",)
    classes = given[f"classifier.classifier.{3 if plus else 4}.weight"].shape[0]
    return layout_of("VainF/DeepLabV3Plus-Pytorch", config, classes, _vainf_names(config), notes=notes)


def _backbone(given: Given) -> BackboneConfig | None:
    depth = resnet_depth(given, "backbone.")
    if depth is not None:
        return ResNetConfig.model_validate({"depth": depth})
    stem = given.get("backbone.low_level_features.0.0.weight")
    if stem is None or "backbone.high_level_features.17.conv.3.weight" not in given:
        return None
    width = width_of(stem.shape[0], given["backbone.high_level_features.17.conv.3.weight"].shape[0])
    return MobileNetV2Config(width=width, padded="block", padded_stem=False)


def vainf_names(config: NetworkConfig) -> Namer | None:
    """Return VainF's names for the tensors of a network, or none if it has no such network."""
    if not isinstance(config, DeepLabV3Config | DeepLabV3PlusConfig):
        return None
    return _vainf_names(config) if isinstance(config.backbone, ResNetConfig | MobileNetV2Config) else None


def _vainf_names(config: DeepLabV3Config | DeepLabV3PlusConfig) -> Namer:
    plus = isinstance(config, DeepLabV3PlusConfig)
    home, last = ("classifier.aspp.", 3) if plus else ("classifier.classifier.0.", 4)
    count = len(config.rates)
    is_resnet = config.backbone.kind == "resnet"

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part == "backbone":
            return f"backbone.{resnet(place) if is_resnet else _mobilenet_v2(place)}"
        if part == "classifier":
            return f"classifier.classifier.{last}.{place}"
        if place.startswith("low_level."):
            return f"classifier.project.{numbered(place)}"
        if place == "refine.0.convolution.weight":  # it concatenates the low level first
            return reordered(renamed("classifier.classifier.0.weight"), groups=(48, 256), order=(1, 0))
        if place.startswith("refine."):
            return f"classifier.classifier.{numbered(place)}"
        if place.startswith("head."):
            return f"classifier.classifier.{numbered(place, 1)}"
        return f"{home}{aspp(place, count)}"

    return name


def _mobilenet_v2(place: str) -> str:
    """The name in its MobileNetV2: torchvision's, cut in two behind the third block."""
    _, number, inner = mobilenet_v2(place).split(".", 2)
    return f"{'low' if int(number) < 4 else 'high'}_level_features.{number}.{inner}"
