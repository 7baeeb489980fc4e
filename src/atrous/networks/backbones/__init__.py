"""Backbones: networks made for classification, opened at their levels of features."""

from typing import Annotated, assert_never

from pydantic import Field

from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.mobilenet_v2 import MobileNetV2, MobileNetV2Config
from atrous.networks.backbones.resnet import ResNet, ResNetConfig

__all__ = ["Backbone", "BackboneConfig", "MobileNetV2Config", "ResNetConfig", "build_backbone"]

BackboneConfig = Annotated[MobileNetV2Config | ResNetConfig, Field(discriminator="kind")]


def build_backbone(config: BackboneConfig, output_stride: int) -> Backbone:
    """Return the backbone that `config` chooses.

    Args:
        config: The kind of backbone and its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 8, 16 or 32. It changes no parameter.
    """
    match config:
        case MobileNetV2Config():
            return MobileNetV2(config.width, output_stride)
        case ResNetConfig():
            return ResNet(config.depth, output_stride)
        case _:
            assert_never(config)
