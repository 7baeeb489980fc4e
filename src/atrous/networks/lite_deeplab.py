"""Lite DeepLab: the small head of MobileNetV3, LR-ASPP."""

from typing import Literal, Self

from pydantic import model_validator
from torch import nn

from atrous.networks.backbones import BackboneConfig, MobileNetV3Config, build_backbone
from atrous.networks.context import LiteASPP
from atrous.networks.decoders import ConcatenateLevel
from atrous.networks.family import Count, FamilyConfig, backbone_levels, build_pixels, level_of_stride, true_of
from atrous.networks.segmentation import SegmentationNetwork


class LiteDeepLabConfig(FamilyConfig):
    """Choices of Howard et al. 2019 (arXiv:1905.02244), section 6.4."""

    kind: Literal["lite_deeplab"] = "lite_deeplab"
    backbone: BackboneConfig = MobileNetV3Config()
    context_channels: Count = 128
    low_level_stride: Count = 8
    """Of the backbone's level that has a classifier of its own, which is added to that of the context."""

    @model_validator(mode="after")
    def _low_level_exists(self) -> Self:
        level_of_stride(backbone_levels(self.backbone, self.output_stride), self.low_level_stride)
        return self


def lite_deeplab(config: LiteDeepLabConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    levels = backbone_levels(config.backbone, config.output_stride)
    level = level_of_stride(levels, config.low_level_stride)
    return SegmentationNetwork(
        build_pixels(config.pixels),
        build_backbone(config.backbone, config.output_stride),
        LiteASPP(levels.channels[-1], config.context_channels),
        ConcatenateLevel(level, config.resize),
        nn.Conv2d(config.context_channels + levels.channels[level], num_classes, kernel_size=1),
        resize=config.resize,
    )


def deviations(config: LiteDeepLabConfig) -> list[str]:
    """Say how the network differs from the paper."""
    return [
        *true_of(
            [
                (
                    config.backbone.kind != "mobilenet_v3",
                    f"a backbone of kind {config.backbone.kind}, where the paper has MobileNetV3",
                )
            ]
        ),
        "the gate sees the mean of the whole image, in the paper means over windows of 49x49",
        *true_of(
            [
                (
                    config.context_channels != 128,
                    f"{config.context_channels} context channels, where the paper has 128",
                ),
                (config.low_level_stride != 8, f"a low level of stride {config.low_level_stride}, in the paper 8"),
                (config.output_stride not in (16, 32), f"output stride {config.output_stride}, in the paper 16 or 32"),
            ]
        ),
    ]
