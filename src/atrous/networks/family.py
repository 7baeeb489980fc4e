"""What all members of the family choose, and how a choice is checked before anything is built."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator

from atrous.config import Config
from atrous.networks.backbones import (
    BackboneConfig,
    MobileNetV2Config,
    ResNetConfig,
    build_backbone,
    require_output_stride,
)
from atrous.networks.layers import BatchNormConfig, ResizeMode
from atrous.networks.padding import Padding
from atrous.networks.segmentation import PixelScale, PixelScaleConfig

Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
OutputStride = Literal[4, 8, 16, 32]


class FamilyConfig(Config):
    """Base of the members' configs."""

    kind: str
    backbone: BackboneConfig = ResNetConfig()
    output_stride: OutputStride = 16
    """Pixels of the image per pixel of the deepest features."""
    pixels: PixelScaleConfig = PixelScaleConfig()
    batch_norm: BatchNormConfig = BatchNormConfig()
    """How batch normalization runs, in the whole network."""
    padding: Padding = "symmetric"
    """How the backbone pads where it strides: alike on both sides; for weights from TensorFlow, as its SAME does, which
    puts the odd pixel of an even size at the bottom and right, everywhere, in the first convolution only, or, as
    in Keras's MobileNet, there, and behind at any size in all others."""
    resize: ResizeMode = "half_pixel"
    """Where pixels lie on each other when features and logits are resized: as areas, or, for weights from elsewhere,
    corner pixel on corner pixel (align_corners) or first pixel on first pixel (asymmetric)."""

    @model_validator(mode="after")
    def _padding_is_ours(self) -> Self:
        if self.padding != "symmetric" and self.backbone.kind in ("timm", "vgg16"):
            raise ValueError(
                f"`padding` {self.padding} is not for a backbone of kind {self.backbone.kind}: take symmetric"
            )
        ported = isinstance(self.backbone, MobileNetV2Config) and (
            self.backbone.padded == "block" or not self.backbone.padded_stem
        )
        if self.padding != "symmetric" and ported:
            raise ValueError("`padding` is TensorFlow's, `padded` and `padded_stem` are of other ports: take one")
        return self

    @model_validator(mode="after")
    def _backbone_can_have_the_stride(self) -> Self:
        require_output_stride(self.backbone, self.output_stride)
        return self

    @model_validator(mode="after")
    def _pixels_have_the_bands_of_the_backbone(self) -> Self:
        bands, scaled = self.backbone.in_channels, len(self.pixels.mean)
        if bands != scaled:
            raise ValueError(
                f"the backbone takes {bands} bands, but `pixels` scales {scaled}: set `backbone.in_channels` to "
                f"{scaled}, or give `pixels.mean` and `pixels.std` {bands} numbers each"
            )
        return self


class Levels(NamedTuple):
    """What a backbone will hand out, fine to coarse."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]


@lru_cache(maxsize=256)
def backbone_levels(config: BackboneConfig, output_stride: int) -> Levels:
    """Return the channels and strides of a backbone's levels, without its weights.

    Raises:
        ValueError: If the backbone cannot have the output stride.
    """
    with torch.device("meta"):
        backbone = build_backbone(config, output_stride)
    return Levels(backbone.channels, backbone.strides)


def level_of_stride(levels: Levels, stride: int) -> int:
    """Return the number of the first level that has the stride.

    Raises:
        ValueError: If there is none; it names those that there are.
    """
    if stride not in levels.strides:
        raise ValueError(
            f"the backbone has no level of stride {stride}; at this output stride its levels have "
            f"{', '.join(map(str, sorted(set(levels.strides))))}"
        )
    return levels.strides.index(stride)


def scaled_rates(rates: Sequence[int], stated_for: int, output_stride: int) -> tuple[int, ...]:
    """Return the rates at another output stride than that for which they are stated; 8 doubles those for 16.

    Source: Chen et al. 2017, arXiv:1706.05587, section 3.3.

    Raises:
        ValueError: If one of them would be no whole number.
    """
    odd = [rate for rate in rates if rate * stated_for % output_stride]
    if odd:
        raise ValueError(
            f"at output stride {output_stride} the rates, which are stated for {stated_for}, are divided by "
            f"{output_stride // stated_for}, but {', '.join(map(str, odd))} cannot be: give rates that can, or take an "
            f"output stride of {stated_for} or less"
        )
    return tuple(rate * stated_for // output_stride for rate in rates)


def build_pixels(config: PixelScaleConfig) -> PixelScale:
    """Return the pixel scale that `config` states."""
    return PixelScale(config.mean, config.std, config.order)


def true_of(deviations: Iterable[tuple[bool, str]]) -> list[str]:
    """Return the sentences whose condition holds."""
    return [sentence for holds, sentence in deviations if holds]
