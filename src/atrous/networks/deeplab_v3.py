"""DeepLabv3: atrous spatial pyramid pooling with the mean of the image, classified as it is."""

from typing import Literal

from torch import nn

from atrous.networks.backbones import build_backbone
from atrous.networks.decoders import KeepContext
from atrous.networks.encoder import (
    EncoderConfig,
    build_auxiliary,
    build_context,
    build_refinement,
    encoder_deviations,
)
from atrous.networks.family import build_pixels
from atrous.networks.segmentation import SegmentationNetwork


class DeepLabV3Config(EncoderConfig):
    """Choices of Chen et al. 2017 (arXiv:1706.05587)."""

    kind: Literal["deeplab_v3"] = "deeplab_v3"


def deeplab_v3(config: DeepLabV3Config, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    context = build_context(config)
    return SegmentationNetwork(
        build_pixels(config.pixels),
        build_backbone(config.backbone, config.output_stride),
        context,
        KeepContext(),
        nn.Conv2d(context.out_channels, num_classes, kernel_size=1),
        refinement=build_refinement(config, num_classes),
        auxiliary=build_auxiliary(config, num_classes),
    )


def deviations(config: DeepLabV3Config) -> list[str]:
    """Say how the network differs from the paper."""
    return encoder_deviations(config)
