"""The ports of DeepLab that people have weights of: SMP, VainF, jfzhang95 (and giovanniguidi), kazuto1011."""

from atrous.networks import DeepLabV2Config, DeepLabV3Config, DeepLabV3PlusConfig, NetworkConfig, ResNetConfig
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.pytorch.parts import aspp, numbered, pair, rate_count, resnet, resnet_depth, separable
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of, renamed, reordered

CAFFE_PIXELS = PixelScaleConfig(
    mean=(122.675 / 255, 116.669 / 255, 104.008 / 255), std=(1 / 255, 1 / 255, 1 / 255), order="bgr"
)
"""Mean pixels of the authors' Caffe networks, of 0..255."""


def smp_layout(given: Given) -> Layout | None:
    """Return the layout of segmentation-models-pytorch's DeepLabV3 or DeepLabV3Plus on a ResNet, or none."""
    depth = resnet_depth(given, "encoder.")
    if "segmentation_head.0.weight" not in given or depth is None:
        return None
    plus = "decoder.block1.0.weight" in given
    home = "decoder.aspp.0." if plus else "decoder.aspp."
    if not any(name.startswith(f"{home}convs.") for name in given):
        home = "decoder.0."  # DeepLabV3 of versions before 0.5
        if not any(name.startswith(f"{home}convs.") for name in given):
            return None
    count = rate_count(given, home)
    backbone = ResNetConfig.model_validate({"depth": depth, "lost_stride": "doubles_rate"})
    rates = tuple(6 * (number + 1) for number in range(count))
    is_separable = f"{home}convs.1.0.0.weight" in given
    config: NetworkConfig
    if plus:
        config = DeepLabV3PlusConfig(
            backbone=backbone,
            rates=tuple(2 * rate for rate in rates),
            separable=is_separable,
            separable_norm=False,
            head_convolution=True,
            decoder_convolutions=1,
            context_channels=given[f"{home}project.0.weight"].shape[0],
            resize="align_corners",
        )
    else:
        config = DeepLabV3Config(
            backbone=backbone,
            output_stride=8,
            rates=rates,
            separable=is_separable,
            separable_norm=False,
            head_convolution=True,
            context_channels=given[f"{home}project.0.weight"].shape[0],
            resize="align_corners",
        )
    notes = ("output stride (16 for v3+, 8 for v3) and rates are SMP's defaults; the tensors do not say them",)
    classes = given["segmentation_head.0.weight"].shape[0]
    return layout_of("segmentation-models-pytorch", config, classes, _smp_names(config, home), notes=notes)


def smp_names(config: NetworkConfig) -> Namer | None:
    """Return SMP's names for the tensors of a network, or none if it has no such network."""
    if not isinstance(config, DeepLabV3Config | DeepLabV3PlusConfig) or config.backbone.kind != "resnet":
        return None
    return _smp_names(config, "decoder.aspp.0." if isinstance(config, DeepLabV3PlusConfig) else "decoder.aspp.")


def _smp_names(config: DeepLabV3Config | DeepLabV3PlusConfig, home: str) -> Namer:
    plus, count, is_separable = isinstance(config, DeepLabV3PlusConfig), len(config.rates), config.separable

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part == "backbone":
            return f"encoder.{resnet(place)}"
        if part == "classifier":
            return f"segmentation_head.0.{place}"
        if place.startswith("low_level."):
            return f"decoder.block1.{numbered(place)}"
        if place.startswith("refine.0."):
            return f"decoder.block2.{separable(place.removeprefix('refine.0.'))}"
        if place.startswith("head.") and plus:
            index, _, inner = separable(place.removeprefix("head.")).partition(".")
            return f"decoder.aspp.{int(index) + 1}.{inner}"
        if place.startswith("head."):
            return f"decoder.{pair(place, 'conv', 'bn')}" if home != "decoder.0." else f"decoder.{numbered(place, 1)}"
        if place.startswith("pyramid.") and is_separable:
            _, number, inner = place.split(".", 2)
            return f"{home}convs.{int(number) + 1}.{separable(inner)}"
        return f"{home}{aspp(place, count)}"

    return name


def vainf_layout(given: Given) -> Layout | None:
    """Return the layout of VainF's DeepLabV3Plus-Pytorch on a ResNet, or none."""
    depth = resnet_depth(given, "backbone.")
    if depth is None or (
        "classifier.classifier.0.weight" not in given and "classifier.classifier.4.weight" not in given
    ):
        return None
    plus = "classifier.project.0.weight" in given
    backbone = ResNetConfig.model_validate({"depth": depth})
    config: NetworkConfig
    if plus:
        config = DeepLabV3PlusConfig(backbone=backbone, separable=False, decoder_convolutions=1)
    else:
        config = DeepLabV3Config(backbone=backbone, head_convolution=True)
    notes = ("output stride 16 is what the port's released weights are trained at; the tensors do not say it",)
    classes = given[f"classifier.classifier.{3 if plus else 4}.weight"].shape[0]
    return layout_of("VainF/DeepLabV3Plus-Pytorch", config, classes, _vainf_names(config), notes=notes)


def vainf_names(config: NetworkConfig) -> Namer | None:
    """Return VainF's names for the tensors of a network, or none if it has no such network."""
    known = isinstance(config, DeepLabV3Config | DeepLabV3PlusConfig) and config.backbone.kind == "resnet"
    return _vainf_names(config) if known else None


def _vainf_names(config: NetworkConfig) -> Namer:
    plus = isinstance(config, DeepLabV3PlusConfig)
    home, last = ("classifier.aspp.", 3) if plus else ("classifier.classifier.0.", 4)
    assert isinstance(config, DeepLabV3Config | DeepLabV3PlusConfig)
    count = len(config.rates)

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        if part == "backbone":
            return f"backbone.{resnet(place)}"
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


def jfzhang95_layout(given: Given) -> Layout | None:
    """Return the layout of jfzhang95's pytorch-deeplab-xception, also giovanniguidi's, on ResNet-101, or none."""
    depth = resnet_depth(given, "backbone.")
    if depth is None or "aspp.aspp1.atrous_conv.weight" not in given or "decoder.last_conv.8.weight" not in given:
        return None
    config = DeepLabV3PlusConfig(
        backbone=ResNetConfig.model_validate({"depth": depth, "lost_stride": "doubles_rate", "multi_grid": (1, 2, 4)}),
        separable=False,
        resize="align_corners",
    )
    notes = ("output stride 16 and multi-grid 1, 2, 4 are the port's own; the tensors do not say them",)
    classes = given["decoder.last_conv.8.weight"].shape[0]
    return layout_of("jfzhang95/pytorch-deeplab-xception", config, classes, _jfzhang95_name, notes=notes)


def jfzhang95_names(config: NetworkConfig) -> Namer | None:
    """Return jfzhang95's names for the tensors of a network, or none if it has no such network."""
    known = isinstance(config, DeepLabV3PlusConfig) and config.backbone.kind == "resnet"
    return _jfzhang95_name if known else None


def _jfzhang95_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "backbone":
        return f"backbone.{resnet(place)}"
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


def kazuto1011_layout(given: Given) -> Layout | None:
    """Return the layout of kazuto1011's deeplab-pytorch, DeepLab v2 on ResNet-101 with or without scales, or none."""
    prefix = next((p for p in ("base.", "scale.", "") if f"{p}aspp.c0.weight" in given), None)
    if prefix is None or f"{prefix}layer2.block1.reduce.conv.weight" not in given:
        return None
    count = sum(name.startswith(f"{prefix}aspp.c") and name.endswith(".weight") for name in given)
    config = DeepLabV2Config(rates=tuple(6 * (number + 1) for number in range(count)), pixels=CAFFE_PIXELS)
    if not prefix:
        config = config.model_copy(update={"scales": (1.0,)})
    classes = given[f"{prefix}aspp.c0.weight"].shape[0]
    return layout_of("kazuto1011/deeplab-pytorch", config, classes, _kazuto1011_names(prefix))


def kazuto1011_names(config: NetworkConfig) -> Namer | None:
    """Return kazuto1011's names for the tensors of a network, or none if it has no such network."""
    if not isinstance(config, DeepLabV2Config) or config.backbone.kind != "resnet" or config.hidden_channels:
        return None
    return _kazuto1011_names("base." if len(config.scales) > 1 else "")


def _kazuto1011_names(prefix: str) -> Namer:
    def name(ours: str) -> str | Source | None:
        part, *rest = ours.split(".")
        if part == "classifier":
            return f"{prefix}aspp.c{rest[1]}.{rest[2]}"
        if rest[0] == "stem":
            return f"{prefix}layer1.conv1.{pair(ours, 'conv', 'bn')}"
        _, stage, block, where, *inner = rest
        step = "shortcut" if where == "shortcut" else ("reduce", "conv3x3", "increase")[int(inner[0])]
        return f"{prefix}layer{int(stage) + 2}.block{int(block) + 1}.{step}.{pair(ours, 'conv', 'bn')}"

    return name
