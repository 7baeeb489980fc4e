"""Networks: an image in, the logits of each class at each pixel out."""

from functools import partial
from typing import Annotated, assert_never

from pydantic import Field

from atrous.config import parse
from atrous.networks import deeplab_v1, deeplab_v2, deeplab_v3, deeplab_v3plus, image_classifier, lite_deeplab
from atrous.networks.backbones import (
    BackboneConfig,
    DRNConfig,
    MobileNetEdgeTPUConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    MobileNetV3Config,
    ResNetConfig,
    TimmConfig,
    VGG16Config,
    XceptionConfig,
)
from atrous.networks.context import PUBLISHED_CELL, CellBranch
from atrous.networks.deeplab_v1 import DeepLabV1Config
from atrous.networks.deeplab_v2 import DeepLabV2Config
from atrous.networks.deeplab_v3 import DeepLabV3Config
from atrous.networks.deeplab_v3plus import DeepLabV3PlusConfig
from atrous.networks.encoder import AuxiliaryHeadConfig
from atrous.networks.image_classifier import ImageClassifierConfig
from atrous.networks.layers import BatchNormConfig, apply_batch_norm
from atrous.networks.lite_deeplab import LiteDeepLabConfig
from atrous.networks.padding import apply_padding
from atrous.networks.segmentation import PixelScaleConfig, SegmentationNetwork, WeightedLogits, initialize

__all__ = [
    "PUBLISHED_CELL",
    "AuxiliaryHeadConfig",
    "BackboneConfig",
    "BatchNormConfig",
    "CellBranch",
    "DRNConfig",
    "DeepLabV1Config",
    "DeepLabV2Config",
    "DeepLabV3Config",
    "DeepLabV3PlusConfig",
    "ImageClassifierConfig",
    "LiteDeepLabConfig",
    "MobileNetEdgeTPUConfig",
    "MobileNetV1Config",
    "MobileNetV2Config",
    "MobileNetV3Config",
    "NetworkConfig",
    "PixelScaleConfig",
    "ResNetConfig",
    "SegmentationNetwork",
    "TimmConfig",
    "VGG16Config",
    "WeightedLogits",
    "XceptionConfig",
    "build_network",
    "deviations",
]

NetworkConfig = Annotated[
    DeepLabV1Config
    | DeepLabV2Config
    | DeepLabV3Config
    | DeepLabV3PlusConfig
    | LiteDeepLabConfig
    | ImageClassifierConfig,
    Field(discriminator="kind"),
]
"""A member of the family, or a classifier of images, and its choices."""


def build_network(config: NetworkConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network that `config` chooses, freshly initialized.

    Args:
        config: The member of the family and its choices.
        num_classes: Channels of the logits.

    Raises:
        ValueError: If there is no class.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, but a network needs 1 class or more.")
    network = _assemble(config, num_classes)
    network.build_at = partial(_build_at, config, num_classes)
    apply_batch_norm(network, config.batch_norm)
    apply_padding(network.backbone, config.padding)
    initialize(network)
    return network


def deviations(config: NetworkConfig) -> list[str]:
    """Say in words how the network of `config` differs from its paper; nothing where it does not."""
    match config:
        case DeepLabV1Config():
            return deeplab_v1.deviations(config)
        case DeepLabV2Config():
            return deeplab_v2.deviations(config)
        case DeepLabV3Config():
            return deeplab_v3.deviations(config)
        case DeepLabV3PlusConfig():
            return deeplab_v3plus.deviations(config)
        case LiteDeepLabConfig():
            return lite_deeplab.deviations(config)
        case ImageClassifierConfig():
            return image_classifier.deviations(config)
        case _:
            assert_never(config)


def _assemble(config: NetworkConfig, num_classes: int) -> SegmentationNetwork:
    match config:
        case DeepLabV1Config():
            return deeplab_v1.deeplab_v1(config, num_classes)
        case DeepLabV2Config():
            return deeplab_v2.deeplab_v2(config, num_classes)
        case DeepLabV3Config():
            return deeplab_v3.deeplab_v3(config, num_classes)
        case DeepLabV3PlusConfig():
            return deeplab_v3plus.deeplab_v3plus(config, num_classes)
        case LiteDeepLabConfig():
            return lite_deeplab.lite_deeplab(config, num_classes)
        case ImageClassifierConfig():
            return image_classifier.image_classifier(config, num_classes)
        case _:
            assert_never(config)


def _build_at(config: NetworkConfig, num_classes: int, output_stride: int) -> SegmentationNetwork:
    choices = {**config.model_dump(), "output_stride": output_stride}
    return build_network(parse(NetworkConfig, choices, f"with_output_stride({output_stride})"), num_classes)
