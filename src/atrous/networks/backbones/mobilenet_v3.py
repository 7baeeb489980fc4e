"""MobileNetV3: inverted residual blocks, found by search, that weigh their channels."""

from collections import OrderedDict
from typing import Literal, NamedTuple

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.backbones.mobilenet_v2 import scaled_channels
from atrous.networks.layers import Activation, BatchNormConfig, ConvNormActivation, apply_batch_norm

Size = Literal["small", "large"]


class MobileNetV3Config(Config):
    """Choices of Howard et al. 2019 (arXiv:1905.02244)."""

    kind: Literal["mobilenet_v3"] = "mobilenet_v3"
    size: Size = "large"
    """The network of table 1 (large) or of table 2 (small)."""
    width: float = Field(default=1.0, gt=0)
    """Multiplies the channels of all layers."""
    reduced_tail: bool = False
    """Whether the blocks at stride 32 have half the channels, as for segmentation in the paper, section 6.4."""
    level_block: Literal["last", "first"] = "last"
    """The block that gives the level of a stride: its last, or its first as in torchvision's LR-ASPP."""
    lost_stride: Literal["keeps_rate", "doubles_rate"] = "keeps_rate"
    """The rate of a convolution that loses its stride: the one it had, so that all output strides compute the same
    features, or already the doubled one of all that follow, as in torchvision's segmentation networks."""
    in_channels: Bands = 3
    """Bands of the picture."""


class _Block(NamedTuple):
    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    activation: Activation
    stride: int


_RE: Activation = nn.ReLU
_HS: Activation = nn.Hardswish

# Tables 1 and 2 of the paper, grouped by levels.
_LEVELS: dict[Size, tuple[tuple[_Block, ...], ...]] = {
    "large": (
        (_Block(3, 16, 16, False, _RE, 1), _Block(3, 64, 24, False, _RE, 2), _Block(3, 72, 24, False, _RE, 1)),
        (_Block(5, 72, 40, True, _RE, 2), _Block(5, 120, 40, True, _RE, 1), _Block(5, 120, 40, True, _RE, 1)),
        (
            _Block(3, 240, 80, False, _HS, 2),
            _Block(3, 200, 80, False, _HS, 1),
            _Block(3, 184, 80, False, _HS, 1),
            _Block(3, 184, 80, False, _HS, 1),
            _Block(3, 480, 112, True, _HS, 1),
            _Block(3, 672, 112, True, _HS, 1),
        ),
        (_Block(5, 672, 160, True, _HS, 2), _Block(5, 960, 160, True, _HS, 1), _Block(5, 960, 160, True, _HS, 1)),
    ),
    "small": (
        (_Block(3, 16, 16, True, _RE, 2),),
        (_Block(3, 72, 24, False, _RE, 2), _Block(3, 88, 24, False, _RE, 1)),
        (
            _Block(5, 96, 40, True, _HS, 2),
            _Block(5, 240, 40, True, _HS, 1),
            _Block(5, 240, 40, True, _HS, 1),
            _Block(5, 120, 48, True, _HS, 1),
            _Block(5, 144, 48, True, _HS, 1),
        ),
        (_Block(5, 288, 96, True, _HS, 2), _Block(5, 576, 96, True, _HS, 1), _Block(5, 576, 96, True, _HS, 1)),
    ),
}


class SqueezeExcitation(nn.Module):
    """Weighs each channel by what the mean of the whole image says.

    Source: Hu et al. 2017, arXiv:1709.01507, with the hard sigmoid of MobileNetV3.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, H, W] of the same shape."""
        mean = x.mean(dim=(2, 3), keepdim=True)
        weights = F.hardsigmoid(self.excite(F.relu(self.squeeze(mean))))
        return x * weights


class InvertedResidual(nn.Module):
    """Widen, look around in each channel, weigh the channels, narrow; added to the input where the shapes agree."""

    def __init__(self, in_channels: int, block: _Block, stride: int, rate: int) -> None:
        super().__init__()
        expanded, activation = block.expanded, block.activation
        # The stride for classification decides, so that all output strides compute the same features.
        self.residual = block.stride == 1 and in_channels == block.channels
        layers = OrderedDict[str, nn.Module]()
        if expanded != in_channels:
            layers["expand"] = ConvNormActivation(in_channels, expanded, activation=activation)
        layers["depthwise"] = ConvNormActivation(
            expanded, expanded, block.kernel, stride=stride, rate=rate, groups=expanded, activation=activation
        )
        if block.squeeze:
            layers["weigh"] = SqueezeExcitation(expanded, scaled_channels(expanded // 4, 1))
        layers["project"] = ConvNormActivation(expanded, block.channels, activation=nn.Identity)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, channels, H, W] for [B, in_channels, H, W], smaller by the stride."""
        y: Tensor = self.layers(x)
        if self.residual:
            y += x
        return y


class MobileNetV3(Backbone):
    """Inverted residual blocks; the levels are one block each of strides 4, 8 and 16, and the last convolution.

    Source: Howard et al. 2019, arXiv:1905.02244, tables 1 and 2, without the layers that serve classification.
    At finer output strides the channels are weighed by means over more places, so that features agree but nearly with
    those of coarser ones; all else is exact.

    Args:
        config: Its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
    """

    def __init__(self, config: MobileNetV3Config, output_stride: int) -> None:
        super().__init__()
        channels = scaled_channels(16, config.width)
        self.stem = ConvNormActivation(config.in_channels, channels, 3, stride=2, activation=_HS)
        self.levels = nn.ModuleList()
        self.level_blocks: list[int] = []
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=2)
        for blocks in _scaled_levels(config):
            level = nn.Sequential()
            for block in blocks:
                step = strides_into_rates.step(block.stride)
                rate = step.rate if config.lost_stride == "keeps_rate" else step.next_rate
                level.append(InvertedResidual(channels, block, step.stride, rate))
                channels = block.channels
            self.levels.append(level)
            first = next(index for index, block in enumerate(blocks) if block.stride > 1)
            self.level_blocks.append(first if config.level_block == "first" else len(blocks) - 1)
            self.channels += (blocks[self.level_blocks[-1]].channels,)
            self.strides += (strides_into_rates.stride,)
        self.last = ConvNormActivation(channels, 6 * channels, activation=_HS)
        self.channels = (*self.channels[:-1], 6 * channels)
        # Of the paper's code and of torchvision; at torch's 1e-5 the released weights give other features.
        apply_batch_norm(self, BatchNormConfig(epsilon=1e-3, momentum=0.01))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.stem(image)
        levels = []
        for level, level_block in zip(self.levels, self.level_blocks, strict=True):
            for index, block in enumerate(level.children()):
                x = block(x)
                if index == level_block:
                    levels.append(x)
        return [*levels[:-1], self.last(x)]


def _scaled_levels(config: MobileNetV3Config) -> list[list[_Block]]:
    """Return the table of `config.size` with its channels as `width` and `reduced_tail` make them."""
    *heads, tail = _LEVELS[config.size]
    if config.reduced_tail:
        # The first block of the tail still expands what comes before it.
        first, *rest = (block._replace(channels=block.channels // 2) for block in tail)
        tail = (first, *(block._replace(expanded=block.expanded // 2) for block in rest))
    return [
        [
            block._replace(
                expanded=scaled_channels(block.expanded, config.width),
                channels=scaled_channels(block.channels, config.width),
            )
            for block in blocks
        ]
        for blocks in (*heads, tail)
    ]
