"""mmsegmentation: DeepLabv3 and v3+ on ResNets, its own ("v1c") or torchvision's.

Layers and order of channels: OpenMMLab's decode heads ASPPHead and DepthwiseSeparableASPPHead.
"""

from atrous.networks import AuxiliaryHeadConfig, DeepLabV3Config, DeepLabV3PlusConfig, NetworkConfig, ResNetConfig
from atrous.weights.pytorch.parts import numbered, pair, resnet, resnet_depth
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of, renamed, reordered

HEAD = "decode_head."


def mmsegmentation_layout(given: Given) -> Layout | None:
    """Return the layout of mmsegmentation's DeepLabV3 or DeepLabV3Plus on a ResNet, or none."""
    depth = resnet_depth(given, "backbone.")
    if depth is None or f"{HEAD}image_pool.1.conv.weight" not in given:
        return None
    stem = "resnet_c" if "backbone.stem.0.weight" in given else "torchvision"
    choices = {
        "backbone": ResNetConfig.model_validate({"depth": depth, "stem": stem}),
        "output_stride": 8,
        "rates": _rates(given),
        "context_channels": given[f"{HEAD}conv_seg.weight"].shape[1],
        "projection_kernel": 3,
        "auxiliary": AuxiliaryHeadConfig() if "auxiliary_head.conv_seg.weight" in given else None,
    }
    config: NetworkConfig
    if f"{HEAD}c1_bottleneck.conv.weight" in given:
        config = DeepLabV3PlusConfig.model_validate(
            {
                **choices,
                "separable": f"{HEAD}aspp_modules.1.depthwise_conv.conv.weight" in given,
                "low_level_channels": given[f"{HEAD}c1_bottleneck.conv.weight"].shape[0],
                "decoder_channels": given[f"{HEAD}conv_seg.weight"].shape[1],
            }
        )
    else:
        config = DeepLabV3Config.model_validate(choices)
    notes = ("output stride 8 and its rates are the library's own; the tensors do not say them",)
    classes = given[f"{HEAD}conv_seg.weight"].shape[0]
    return layout_of("mmsegmentation", config, classes, _names(config), notes=notes)


def mmsegmentation_names(config: NetworkConfig) -> Namer | None:
    """Return mmsegmentation's names for the tensors of a network, or none if it has no such network."""
    if not isinstance(config, DeepLabV3Config | DeepLabV3PlusConfig) or not isinstance(config.backbone, ResNetConfig):
        return None
    return _names(config) if config.projection_kernel == 3 else None


def _names(config: DeepLabV3Config | DeepLabV3PlusConfig) -> Namer:
    count, width = len(config.rates) + 2, config.context_channels
    groups, order = count * (width,), (*range(1, count), 0)  # theirs begins with the mean of the image, ours ends so

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        match part:
            case "backbone":
                return f"backbone.{_resnet(place)}"
            case "classifier":
                return f"{HEAD}conv_seg.{place}"
            case "auxiliary" if place.startswith("classifier."):
                return f"auxiliary_head.conv_seg.{place.removeprefix('classifier.')}"
            case "auxiliary":
                return f"auxiliary_head.convs.0.{pair(place, 'conv', 'bn')}"
            case _ if place == "projection.convolution.weight":
                return reordered(renamed(f"{HEAD}bottleneck.conv.weight"), groups, order)
            case _:
                return f"{HEAD}{_head(place)}"

    return name


def _head(place: str) -> str:
    """The name of a tensor of context or decoder in their head."""
    branch, *rest = place.split(".")
    match branch:
        case "pointwise":
            return f"aspp_modules.0.{pair(place, 'conv', 'bn')}"
        case "pyramid":
            return f"aspp_modules.{int(rest[0]) + 1}.{_maybe_separable(rest[1:])}"
        case "image_pooling":
            return f"image_pool.1.{pair(place, 'conv', 'bn')}"
        case "projection":
            return f"bottleneck.{pair(place, 'conv', 'bn')}"
        case "low_level":
            return f"c1_bottleneck.{pair(place, 'conv', 'bn')}"
        case _:
            return f"sep_bottleneck.{rest[0]}.{_maybe_separable(rest[1:])}"


def _maybe_separable(rest: list[str]) -> str:
    step = f"{rest[0]}_conv." if rest[0] in ("depthwise", "pointwise") else ""
    return step + pair(".".join(rest), "conv", "bn")


def _resnet(place: str) -> str:
    """The name in their ResNet: torchvision's, but for a stem of three convolutions."""
    part, number, *_ = place.split(".")
    return f"stem.{numbered(place, 3 * int(number))}" if part == "stem" and number.isdecimal() else resnet(place)


def _rates(given: Given) -> tuple[int, ...]:
    """Of the 3x3 branches, in multiples of 6 as in all of its configs."""
    numbers = {int(name.split(".")[2]) for name in given if name.startswith(f"{HEAD}aspp_modules.")}
    return tuple(6 * number for number in range(1, max(numbers) + 1))
