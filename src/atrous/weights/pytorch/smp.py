"""segmentation-models-pytorch: DeepLabv3 and v3+ on ResNets."""

from atrous.networks import DeepLabV3Config, DeepLabV3PlusConfig, NetworkConfig, ResNetConfig
from atrous.weights.pytorch.parts import aspp, numbered, pair, rate_count, resnet, resnet_depth, separable
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of


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
