"""DeepLabv2: atrous spatial pyramid pooling as a sum of classifiers, and an image seen at several scales."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from atrous.networks.backbones import BackboneConfig, ResNetConfig, build_backbone
from atrous.networks.context import ASPPClassifiers, LargeFieldOfView
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
"""The output stride for which rates are stated, as in the paper."""
Scale = Annotated[float, Field(gt=0, le=1)]


class DeepLabV2Config(FamilyConfig):
    """Choices of Chen et al. 2016 (arXiv:1606.00915); the defaults are its ResNet-101 model."""

    kind: Literal["deeplab_v2"] = "deeplab_v2"
    backbone: BackboneConfig = ResNetConfig(depth=101, stem="caffe", stride_in="1x1")
    output_stride: OutputStride = 8
    rates: Annotated[tuple[Count, ...], Field(min_length=1, max_length=32)] = (6, 12, 18, 24)
    """Of the classifiers whose logits are added, stated for output stride 8; 12 alone is the large field of view."""
    hidden_channels: Count | None = None
    """Of an fc6 and fc7 before each classifier, 1024 on VGG-16; none: 3x3 classifiers, as on ResNet-101."""
    dropout: Fraction = 0.5
    """Share of the values of fc6 and fc7 that is dropped in training."""
    scales: Annotated[tuple[Scale, ...], Field(min_length=1, max_length=16)] = (1.0, 0.75, 0.5)
    """Of the image, beginning with 1; the largest logit of each class and place is the answer (section 4.1), and the
    loss is the sum over that and the scales. 1 alone is the network without this."""
    loss_size: LossSize = "logits"
    """The size at which the loss compares: that of the logits, to which the mask is sampled, as the authors trained;
    or that of the image, to which the logits are resized, as DeepLabv3 found better (arXiv:1706.05587, section 4.1)."""

    @model_validator(mode="after")
    def _first_scale_is_the_image(self) -> Self:
        if self.scales[0] != 1:
            raise ValueError(f"`scales` begin with {self.scales[0]:g}, but the first is the image itself: put 1 there")
        return self

    @model_validator(mode="after")
    def _rates_can_be_scaled(self) -> Self:
        scaled_rates(self.rates, STATED_FOR, self.output_stride)
        return self


def deeplab_v2(config: DeepLabV2Config, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    backbone = build_backbone(config.backbone, config.output_stride)
    channels = backbone_levels(config.backbone, config.output_stride).channels[-1]
    rates = scaled_rates(config.rates, STATED_FOR, config.output_stride)
    context: nn.Module = nn.Identity()
    classifier: nn.Conv2d | ASPPClassifiers = ASPPClassifiers(channels, num_classes, rates)
    if config.hidden_channels is not None:
        context = LargeFieldOfView(channels, rates, config.hidden_channels, dropout=config.dropout)
        classifier = nn.Conv2d(context.out_channels, num_classes, kernel_size=1)
    pixels = build_pixels(config.pixels)
    return SegmentationNetwork(
        pixels,
        backbone,
        context,
        KeepContext(),
        classifier,
        scales=config.scales,
        loss_size=config.loss_size,
        resize=config.resize,
    )


def resnet_deviations(backbone: BackboneConfig) -> list[tuple[bool, str]]:
    """Say how a backbone differs from the authors' ResNet-101, with the condition under which it does."""
    if not isinstance(backbone, ResNetConfig):
        light = backbone.kind != "vgg16"
        return [(light, f"a backbone of kind {backbone.kind}, where the paper has ResNet-101 and VGG-16")]
    layout = (backbone.stem, backbone.stride_in)
    return [
        (backbone.depth != 101, f"a ResNet-{backbone.depth}, where the paper has ResNet-101"),
        (
            layout != ("caffe", "1x1"),
            f"the {backbone.stem} stem and strides in the {backbone.stride_in} convolution, where the authors' network "
            "has those of Caffe and the 1x1",
        ),
    ]


def deviations(config: DeepLabV2Config) -> list[str]:
    """Say how the network differs from the paper's ResNet-101 model."""
    return true_of(
        [
            *resnet_deviations(config.backbone),
            (config.output_stride != 8, f"output stride {config.output_stride}, where the paper has 8"),
            (
                config.rates not in ((6, 12, 18, 24), (12,)),
                f"rates {list(config.rates)}, where the paper has [6, 12, 18, 24] (ASPP-L) or [12] (LargeFOV)",
            ),
            (
                config.scales not in ((1.0, 0.75, 0.5), (1.0,)),
                f"scales {list(config.scales)}, where the paper has [1, 0.75, 0.5] or none",
            ),
            (
                config.loss_size == "image",
                "the loss is taken at the size of the image, in the paper at that of the logits",
            ),
        ]
    )
