"""DeepLabv1: a classification network made dense, with a large field of view."""

from typing import Literal, Self

from pydantic import model_validator
from torch import nn

from atrous.networks.backbones import BackboneConfig, VGG16Config, build_backbone
from atrous.networks.context import LargeFieldOfView
from atrous.networks.decoders import KeepContext
from atrous.networks.family import (
    Count,
    FamilyConfig,
    Fraction,
    OutputStride,
    backbone_levels,
    build_pixels,
    scaled_rates,
    true_of,
)
from atrous.networks.segmentation import LossSize, SegmentationNetwork

STATED_FOR = 8
"""The output stride for which the rate is stated, as in the paper."""


class DeepLabV1Config(FamilyConfig):
    """Choices of Chen et al. 2014 (arXiv:1412.7062); the defaults are its DeepLab-LargeFOV."""

    kind: Literal["deeplab_v1"] = "deeplab_v1"
    backbone: BackboneConfig = VGG16Config()
    output_stride: OutputStride = 8
    rate: Count = 12
    """Of the layer with the large field of view, stated for output stride 8; halved at 16."""
    kernel_size: Literal[1, 3, 5, 7] = 3
    """Of that layer; 7 at rate 4 is the paper's first model, 1 a plain classifier."""
    hidden_channels: Count | None = 1024
    """Of fc6 and fc7 of VGG-16; none: the layer is the classifier itself, as on a ResNet."""
    average_first: bool = True
    """Whether fc6 sees the means of 3x3 features, as in the authors' network (pool5a)."""
    dropout: Fraction = 0.5
    """Share of the values of fc6 and fc7 that is dropped in training."""
    loss_size: LossSize = "logits"
    """The size at which the loss compares: that of the logits, to which the mask is sampled, as the authors trained;
    or that of the image, to which the logits are resized, as DeepLabv3 found better (arXiv:1706.05587, section 4.1)."""

    @model_validator(mode="after")
    def _rate_can_be_scaled(self) -> Self:
        scaled_rates((self.rate,), STATED_FOR, self.output_stride)
        return self


def deeplab_v1(config: DeepLabV1Config, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    backbone = build_backbone(config.backbone, config.output_stride)
    channels = backbone_levels(config.backbone, config.output_stride).channels[-1]
    rates = scaled_rates((config.rate,), STATED_FOR, config.output_stride)
    context: nn.Module = nn.Identity()
    if config.hidden_channels is None:
        padding = rates[0] * (config.kernel_size // 2)
        classifier = nn.Conv2d(channels, num_classes, config.kernel_size, padding=padding, dilation=rates[0])
    else:
        context = LargeFieldOfView(
            channels,
            rates,
            config.hidden_channels,
            kernel_size=config.kernel_size,
            average_first=config.average_first,
            dropout=config.dropout,
        )
        classifier = nn.Conv2d(context.out_channels, num_classes, kernel_size=1)
    pixels = build_pixels(config.pixels)
    return SegmentationNetwork(
        pixels, backbone, context, KeepContext(), classifier, loss_size=config.loss_size, resize=config.resize
    )


def deviations(config: DeepLabV1Config) -> list[str]:
    """Say how the network differs from DeepLab-LargeFOV."""
    field = (config.kernel_size, config.rate, config.hidden_channels)
    return true_of(
        [
            (config.backbone.kind != "vgg16", f"a backbone of kind {config.backbone.kind}, where the paper has VGG-16"),
            (config.output_stride != 8, f"output stride {config.output_stride}, where the paper has 8"),
            (
                field != (3, 12, 1024),
                f"a field of view of kernel {config.kernel_size}, rate {config.rate} and "
                f"{config.hidden_channels or 'no'} hidden channels, where the paper has 3, 12 and 1024",
            ),
            (
                config.loss_size == "image",
                "the loss is taken at the size of the image, in the paper at that of the logits",
            ),
        ]
    )
