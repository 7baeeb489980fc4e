"""Backbones: networks made for classification, opened at their levels of features."""

from typing import Annotated, assert_never

from pydantic import Field

from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import adapt_input_channels
from atrous.networks.backbones.drn import DRN, DRNConfig
from atrous.networks.backbones.from_timm import TimmBackbone, TimmConfig, require_timm_output_stride
from atrous.networks.backbones.mobilenet_edgetpu import MobileNetEdgeTPU, MobileNetEdgeTPUConfig
from atrous.networks.backbones.mobilenet_v1 import MobileNetV1, MobileNetV1Config
from atrous.networks.backbones.mobilenet_v2 import MobileNetV2, MobileNetV2Config
from atrous.networks.backbones.mobilenet_v3 import MobileNetV3, MobileNetV3Config
from atrous.networks.backbones.resnet import ResNet, ResNetConfig
from atrous.networks.backbones.vgg import VGG16, VGG16Config
from atrous.networks.backbones.xception import Xception, XceptionConfig

__all__ = [
    "Backbone",
    "BackboneConfig",
    "DRNConfig",
    "MobileNetEdgeTPUConfig",
    "MobileNetV1Config",
    "MobileNetV2Config",
    "MobileNetV3Config",
    "ResNetConfig",
    "TimmConfig",
    "VGG16Config",
    "XceptionConfig",
    "adapt_input_channels",
    "build_backbone",
    "require_output_stride",
]

BackboneConfig = Annotated[
    VGG16Config
    | ResNetConfig
    | XceptionConfig
    | DRNConfig
    | MobileNetV1Config
    | MobileNetV2Config
    | MobileNetV3Config
    | MobileNetEdgeTPUConfig
    | TimmConfig,
    Field(discriminator="kind"),
]


def build_backbone(config: BackboneConfig, output_stride: int) -> Backbone:
    """Return the backbone that `config` chooses.

    Args:
        config: The kind of backbone and its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32. It changes no parameter.

    Raises:
        ValueError: If this backbone cannot have that output stride.
    """
    _require_known_output_stride(config, output_stride)
    match config:
        case VGG16Config():
            return VGG16(output_stride, config.pools, config.in_channels)
        case ResNetConfig():
            return ResNet(config, output_stride)
        case XceptionConfig():
            return Xception(config.depth, output_stride, config.multi_grid, config.in_channels)
        case DRNConfig():
            return DRN(config.variant, output_stride, config.in_channels)
        case MobileNetV1Config():
            return MobileNetV1(config.width, output_stride, config.in_channels)
        case MobileNetV2Config():
            return MobileNetV2(config, output_stride)
        case MobileNetV3Config():
            return MobileNetV3(config, output_stride)
        case MobileNetEdgeTPUConfig():
            return MobileNetEdgeTPU(config, output_stride)
        case TimmConfig():
            return TimmBackbone(config, output_stride)
        case _:
            assert_never(config)


def require_output_stride(config: BackboneConfig, output_stride: int) -> None:
    """Refuse an output stride that the backbone of `config` cannot have, for the validator of a network's config.

    Raises:
        ValueError: With the output strides that it can have.
    """
    _require_known_output_stride(config, output_stride)
    if isinstance(config, TimmConfig):
        require_timm_output_stride(config, output_stride)


def _require_known_output_stride(config: BackboneConfig, output_stride: int) -> None:
    # A DRN was made for 8: it has no stride that could be put back. All others reach 4 by losing one more stride.
    coarsest = 8 if isinstance(config, DRNConfig) else 32
    if isinstance(config, MobileNetV2Config):
        coarsest = 2 ** (config.levels + 1)
    known = tuple(stride for stride in (4, 8, 16, 32) if stride <= coarsest)
    if output_stride not in known:
        listed = f"{', '.join(map(str, known[:-1]))} or {known[-1]}"
        raise ValueError(f"a backbone of kind {config.kind} has no output stride {output_stride}: take {listed}")
