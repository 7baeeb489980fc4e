"""MobileNetV2: a light backbone of inverted residual blocks."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple, cast

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.layers import ConvNormActivation


class MobileNetV2Config(Config):
    """Choices of Sandler et al. 2018 (arXiv:1801.04381)."""

    kind: Literal["mobilenet_v2"] = "mobilenet_v2"
    width: float = Field(default=1.0, gt=0)
    """Multiplies the channels of all layers; the paper's "width multiplier"."""
    divisor: Annotated[int, Field(ge=1)] = 8
    """Of which channels are multiples; 1 in research/deeplab's networks of other widths than 1."""
    level: Literal["block", "depthwise"] = "block"
    """What a level is, but for the deepest: the end of its last block, or what the depthwise convolution of that block
    finds, as in the decoder of research/deeplab."""
    padded: Literal["depthwise", "block"] = "depthwise"
    """Where zeros surround what the depthwise convolution sees: around its own input, or, as in the ports of VainF and
    jfzhang95, around that of its block, so that they have been widened before they are seen."""
    padded_stem: bool = True
    """Whether the first convolution is padded; it is not in VainF's port."""
    lost_stride: Literal["keeps_rate", "stage_keeps_rate"] = "keeps_rate"
    """Which convolutions keep their rate when a stride is lost: the one that lost it, so that all output strides
    compute the same features, or all of its row of the paper's table, as in jfzhang95's port."""
    levels: Literal[2, 3, 4] = 4
    """How many there are: with 3 it ends at stride 16 with 96 channels, with 2 at stride 8 with 32, as tonandr's port
    cuts it."""
    in_channels: Bands = 3
    """Bands of the picture."""


class _Stage(NamedTuple):
    expansion: int
    channels: int
    blocks: int
    stride: int


# Table 2 of the paper without its last convolution to 1280 channels, which serves classification; grouped by levels.
_LEVELS = (
    (_Stage(1, 16, 1, 1), _Stage(6, 24, 2, 2)),
    (_Stage(6, 32, 3, 2),),
    (_Stage(6, 64, 4, 2), _Stage(6, 96, 3, 1)),
    (_Stage(6, 160, 3, 2), _Stage(6, 320, 1, 1)),
)


class InvertedResidual(nn.Module):
    """Widen, look around in each channel, narrow without activation; added to the input where the shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, step: Step, *, residual: bool, padded: bool = False
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.residual = residual
        self.padding = step.rate if padded else 0
        self.layers = nn.Sequential(OrderedDict[str, nn.Module]())
        if expansion > 1:
            self.layers.add_module("expand", ConvNormActivation(in_channels, hidden, activation=nn.ReLU6))
        depthwise = ConvNormActivation(
            hidden,
            hidden,
            3,
            stride=step.stride,
            rate=step.rate,
            groups=hidden,
            padded=not padded,
            activation=nn.ReLU6,
        )
        self.layers.add_module("depthwise", depthwise)
        self.layers.add_module("project", ConvNormActivation(hidden, out_channels, activation=nn.Identity))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for [B, in_channels, H, W], smaller by the stride."""
        return self.narrow(x, self.look_around(x))

    def look_around(self, x: Tensor) -> Tensor:
        """Return what the depthwise convolution finds, in the channels of the expansion."""
        *layers, _ = self.layers.children()
        if self.padding:
            x = F.pad(x, 4 * (self.padding,))
        for layer in layers:
            x = layer(x)
        return x

    def narrow(self, x: Tensor, found: Tensor) -> Tensor:
        """Return the output for the input and what was found in it."""
        y: Tensor = self.layers.get_submodule("project")(found)
        if self.residual:
            y += x
        return y


class MobileNetV2(Backbone):
    """Inverted residual blocks; the levels are what is deepest at strides 4, 8 and 16, and the end.

    Source: Sandler et al. 2018, arXiv:1801.04381, table 2.

    Args:
        config: Its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
    """

    def __init__(self, config: MobileNetV2Config, output_stride: int) -> None:
        super().__init__()
        channels = scaled_channels(32, config.width, config.divisor)
        self.stem = ConvNormActivation(
            config.in_channels, channels, 3, stride=2, padded=config.padded_stem, activation=nn.ReLU6
        )
        self.levels = nn.ModuleList()
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=2)
        for stages in _LEVELS[: config.levels]:
            blocks = nn.Sequential()
            for stage in stages:
                out_channels = scaled_channels(stage.channels, config.width, config.divisor)
                first_rate = strides_into_rates.rate
                for index in range(stage.blocks):
                    stride = stage.stride if index == 0 else 1
                    # The stride for classification decides, so that all output strides compute the same features.
                    residual = stride == 1 and channels == out_channels
                    step = strides_into_rates.step(stride)
                    if config.lost_stride == "stage_keeps_rate":
                        step = step._replace(rate=first_rate)
                    blocks.append(
                        InvertedResidual(
                            channels,
                            out_channels,
                            stage.expansion,
                            step,
                            residual=residual,
                            padded=config.padded == "block",
                        )
                    )
                    hidden, channels = channels * stage.expansion, out_channels
            self.levels.append(blocks)
            self.channels += (hidden if config.level == "depthwise" else channels,)
            self.strides += (strides_into_rates.stride,)
        self.channels = (*self.channels[:-1], channels)
        self.levels_are_depthwise = config.level == "depthwise"

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.stem(image)
        levels = []
        for level in self.levels:
            *blocks, last = cast(Iterable[InvertedResidual], level.children())
            for block in blocks:
                x = block(x)
            found = last.look_around(x)
            x = last.narrow(x, found)
            levels.append(found if self.levels_are_depthwise else x)
        return [*levels[:-1], x]


def scaled_channels(channels: int, width: float, divisor: int = 8) -> int:
    """Return `channels * width` as the nearest multiple of `divisor`, at least 8 and no more than 10 % too small."""
    exact = channels * width
    rounded = max(8, int(exact + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * exact else rounded + divisor


def width_of(stem: int, deepest: int, divisor: int = 8) -> float:
    """Return the width of a network whose first layer has `stem` channels, and whose last block `deepest`.

    As channels are rounded, several widths agree: it is the roundest of them.
    """
    near = deepest / 320
    for digits in range(4):
        width = round(near, digits)
        if width > 0 and [scaled_channels(channels, width, divisor) for channels in (32, 320)] == [stem, deepest]:
            return width
    return near
