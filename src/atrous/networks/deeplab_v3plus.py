"""DeepLabv3+: atrous spatial pyramid pooling, and a decoder that brings back the edges."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from atrous.config import Config
from atrous.networks.backbones import BackboneConfig, ResNetConfig, build_backbone
from atrous.networks.context import ASPP
from atrous.networks.decoders import LowLevelDecoder
from atrous.networks.segmentation import PixelScale, PixelScaleConfig, SegmentationNetwork

Count = Annotated[int, Field(ge=1)]


class DeepLabV3PlusConfig(Config):
    """Choices of Chen et al. 2018 (arXiv:1802.02611); the defaults are its head on a ResNet-50."""

    kind: Literal["deeplab_v3plus"] = "deeplab_v3plus"
    backbone: BackboneConfig = ResNetConfig()
    output_stride: Literal[8, 16, 32] = 16
    """Pixels of the image per pixel of the deepest features."""
    rates: tuple[Count, ...] = (6, 12, 18)
    """Of the 3x3 branches, stated for output stride 16; doubled at 8 (DeepLabv3, section 3.3), halved at 32."""
    context_channels: Count = 256
    low_level_channels: Count = 48
    decoder_channels: Count = 256
    separable: bool = True
    """Whether the 3x3 convolutions of context and decoder are atrous separable ones."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the context's values that is dropped in training."""
    pixels: PixelScaleConfig = PixelScaleConfig()

    @model_validator(mode="after")
    def _rates_can_be_scaled(self) -> Self:
        odd = [rate for rate in self.rates if rate * 16 % self.output_stride]
        if odd:
            raise ValueError(
                f"at output stride 32 `rates` are halved, but {', '.join(map(str, odd))} cannot be: "
                "give even rates such as 6, 12, 18, or take output stride 8 or 16"
            )
        return self


def deeplab_v3plus(config: DeepLabV3PlusConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    pixels = PixelScale(config.pixels.mean, config.pixels.std, config.pixels.order)
    backbone = build_backbone(config.backbone, config.output_stride)
    finest, *_, deepest = backbone.channels
    rates = [rate * 16 // config.output_stride for rate in config.rates]
    context = ASPP(deepest, rates, config.context_channels, separable=config.separable, dropout=config.dropout)
    decoder = LowLevelDecoder(
        finest, context.out_channels, config.low_level_channels, config.decoder_channels, separable=config.separable
    )
    classifier = nn.Conv2d(decoder.out_channels, num_classes, kernel_size=1)
    return SegmentationNetwork(pixels, backbone, context, decoder, classifier)
