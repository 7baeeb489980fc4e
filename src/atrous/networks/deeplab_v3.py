"""DeepLabv3: atrous spatial pyramid pooling with the mean of the image, classified as it is."""

from typing import Literal

from atrous.networks.backbones import BackboneConfig, ResNetConfig, build_backbone
from atrous.networks.decoders import KeepContext
from atrous.networks.encoder import (
    EncoderConfig,
    build_auxiliary,
    build_classifier,
    build_context,
    build_refinement,
    encoder_deviations,
)
from atrous.networks.family import build_pixels, true_of
from atrous.networks.segmentation import SegmentationNetwork


class DeepLabV3Config(EncoderConfig):
    """Choices of Chen et al. 2017 (arXiv:1706.05587); the defaults are its ResNet-101 model."""

    kind: Literal["deeplab_v3"] = "deeplab_v3"
    backbone: BackboneConfig = ResNetConfig(depth=101, multi_grid=(1, 2, 4))


def deeplab_v3(config: DeepLabV3Config, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    context = build_context(config)
    return SegmentationNetwork(
        build_pixels(config.pixels),
        build_backbone(config.backbone, config.output_stride),
        context,
        KeepContext(),
        build_classifier(config, context.out_channels, num_classes),
        refinement=build_refinement(config, num_classes),
        auxiliary=build_auxiliary(config, num_classes),
        resize=config.resize,
    )


def first_unit_keeps_half(backbone: ResNetConfig, output_stride: int) -> tuple[bool, str]:
    """Say that the last stage begins at half the paper's rate, with the condition under which it does."""
    lost_in_3x3 = backbone.stride_in == "3x3" and backbone.lost_stride == "keeps_rate"
    return (
        output_stride < 32 and lost_in_3x3 and backbone.stride_unit == "first",
        "the 3x3 convolution that lost its stride keeps its rate, so that the last stage begins at half the rate "
        "that the paper's multi-grid gives it",
    )


def deviations(config: DeepLabV3Config) -> list[str]:
    """Say how the network differs from the paper."""
    backbone = config.backbone
    if not isinstance(backbone, ResNetConfig):
        return [
            f"a backbone of kind {backbone.kind}, where the paper has ResNet-50 and ResNet-101",
            *encoder_deviations(config),
        ]
    return [
        *true_of(
            [
                (backbone.depth not in (50, 101), f"a ResNet-{backbone.depth}, where the paper has ResNet-50 and 101"),
                (
                    backbone.multi_grid != (1, 2, 4),
                    f"multi-grid {list(backbone.multi_grid)} in the last stage, where the paper's best has [1, 2, 4]",
                ),
                first_unit_keeps_half(backbone, config.output_stride),
            ]
        ),
        *encoder_deviations(config),
    ]
