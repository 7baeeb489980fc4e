"""DeepLabv3+: DeepLabv3 as an encoder, and a decoder that brings back the edges."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from atrous.networks.backbones import build_backbone
from atrous.networks.decoders import CoarseToFineDecoder, KeepContext, LowLevelDecoder
from atrous.networks.encoder import (
    EncoderConfig,
    build_auxiliary,
    build_classifier,
    build_context,
    build_refinement,
    encoder_deviations,
)
from atrous.networks.family import Count, backbone_levels, build_pixels, level_of_stride, true_of
from atrous.networks.segmentation import SegmentationNetwork


class DeepLabV3PlusConfig(EncoderConfig):
    """Choices of Chen et al. 2018 (arXiv:1802.02611); the defaults are its head on a ResNet-50."""

    kind: Literal["deeplab_v3plus"] = "deeplab_v3plus"
    separable: bool = True
    """Whether the 3x3 convolutions of context and decoder are atrous separable ones."""
    low_level_strides: tuple[Count, ...] = (4,)
    """Of the backbone's levels that the decoder fuses, from coarse to fine: (8, 4) as in Panoptic-DeepLab, none for the
    plain enlargement that the authors use on MobileNetV2."""
    low_level_channels: Count | Annotated[tuple[Count, ...], Field(min_length=1)] = 48
    """To which each of these levels is reduced; one number for all, or one for each."""
    decoder_channels: Count = 256
    decoder_convolutions: Count = 2
    """How many 3x3 convolutions follow each fusion; the paper's table 2 tries 1, 2 and 3."""

    @model_validator(mode="after")
    def _low_levels_exist(self) -> Self:
        levels = backbone_levels(self.backbone, self.output_stride)
        for stride in self.low_level_strides:
            level_of_stride(levels, stride)
        if any(coarse <= fine for coarse, fine in pairwise(self.low_level_strides)):
            raise ValueError(
                f"`low_level_strides` {list(self.low_level_strides)} do not go from coarse to fine: sort them downwards"
            )
        channels = self.low_level_channels
        if isinstance(channels, tuple) and len(channels) != len(self.low_level_strides):
            raise ValueError(
                f"`low_level_channels` are {len(channels)} and `low_level_strides` {len(self.low_level_strides)}: "
                "give one number for all levels, or one for each"
            )
        return self


def deeplab_v3plus(config: DeepLabV3PlusConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    backbone = build_backbone(config.backbone, config.output_stride)
    context = build_context(config)
    decoder = build_decoder(config, context.out_channels)
    channels = context.out_channels if isinstance(decoder, KeepContext) else decoder.out_channels
    return SegmentationNetwork(
        build_pixels(config.pixels),
        backbone,
        context,
        decoder,
        build_classifier(config, channels, num_classes),
        refinement=build_refinement(config, num_classes),
        auxiliary=build_auxiliary(config, num_classes),
        resize=config.resize,
    )


def build_decoder(
    config: DeepLabV3PlusConfig, context_channels: int
) -> KeepContext | LowLevelDecoder | CoarseToFineDecoder:
    """Return the decoder that `config` chooses, for a context of so many channels."""
    levels = backbone_levels(config.backbone, config.output_stride)
    strides, reduced = config.low_level_strides, config.low_level_channels
    stages: list[LowLevelDecoder] = []
    for stride, low_level_channels in zip(
        strides, reduced if isinstance(reduced, tuple) else len(strides) * (reduced,), strict=True
    ):
        level = level_of_stride(levels, stride)
        stage = LowLevelDecoder(
            levels.channels[level],
            stages[-1].out_channels if stages else context_channels,
            low_level_channels,
            config.decoder_channels,
            level=level,
            convolutions=config.decoder_convolutions,
            separable=config.separable,
            norm_between=config.separable_norm,
            resize=config.resize,
        )
        stages.append(stage)
    match stages:
        case []:
            return KeepContext()
        case [stage]:
            return stage
        case _:
            return CoarseToFineDecoder(stages)


def deviations(config: DeepLabV3PlusConfig) -> list[str]:
    """Say how the network differs from the paper."""
    kind = config.backbone.kind
    light = kind == "mobilenet_v2"
    strides, convolutions = config.low_level_strides, config.decoder_convolutions
    decoder = (config.low_level_channels, convolutions, config.decoder_channels)
    return [
        *encoder_deviations(config),
        *true_of(
            [
                (
                    kind not in ("xception", "resnet", "mobilenet_v2"),
                    f"a backbone of kind {kind}, where the authors have Xception, ResNet and MobileNetV2",
                ),
                (not config.separable, "plain 3x3 convolutions, where the paper's best model has separable ones"),
                (
                    light and strides != (),
                    "a decoder with low-level features, which the authors leave out on MobileNetV2",
                ),
                (not light and strides != (4,), f"low-level features of strides {list(strides)}, in the paper [4]"),
                (
                    strides == (4,) and decoder != (48, 2, 256),
                    f"a decoder of {config.low_level_channels} low-level channels and {convolutions} 3x3 convolutions "
                    f"of {config.decoder_channels}, in the paper 48 and 2 of 256",
                ),
            ]
        ),
    ]
