"""Aligned Xception: the backbone of DeepLabv3+, of depthwise separable convolutions throughout."""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.layers import AtrousSeparableConv, BatchNormConfig, ConvNormActivation, apply_batch_norm

Depth = Literal[41, 65, 71]
Rate = Annotated[int, Field(ge=1)]


class XceptionConfig(Config):
    """Choices of Chen et al. 2018 (arXiv:1802.02611, figure 4), after Chollet 2016 (arXiv:1610.02357)."""

    kind: Literal["xception"] = "xception"
    depth: Depth = 65
    """Layers with weights: 41, 65 or 71."""
    multi_grid: tuple[Rate, Rate, Rate] = (1, 1, 1)
    """Multiplies the rates of the last three convolutions, in the exit flow."""
    in_channels: Bands = 3
    """Bands of the picture."""


# (channels, stride) of the entry flow's blocks; each block has three convolutions of as many channels.
_ENTRY: dict[Depth, tuple[tuple[int, int], ...]] = {
    41: ((128, 2), (256, 2), (728, 2)),
    65: ((128, 2), (256, 2), (728, 2)),
    71: ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2)),
}
_MIDDLE_BLOCKS: dict[Depth, int] = {41: 8, 65: 16, 71: 16}
_EXIT = ((728, 1024, 1024), (1536, 1536, 2048))


class XceptionBlock(nn.Module):
    """Three separable convolutions, each on rectified features, added to the input; the last one strides.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the three convolutions.
        step: How it runs.
        project: Whether a convolution brings the input to the channels and the stride of the result.
    """

    def __init__(self, in_channels: int, channels: tuple[int, int, int], step: Step, *, project: bool) -> None:
        super().__init__()
        # Nothing is rectified within: activation comes first here, as in the authors' code.
        inputs = (in_channels, *channels[:-1])
        self.layers = nn.ModuleList(
            AtrousSeparableConv(
                before, after, stride=step.stride if index == 2 else 1, rate=step.rate, activation=nn.Identity
            )
            for index, (before, after) in enumerate(zip(inputs, channels, strict=True))
        )
        self.shortcut: nn.Module = nn.Identity()
        if project:
            self.shortcut = ConvNormActivation(in_channels, channels[-1], stride=step.stride, activation=nn.Identity)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the result, and what the second convolution found before the last one strides."""
        first, second, last = self.layers
        before_stride = second(F.relu(first(F.relu(x))))
        y: Tensor = last(F.relu(before_stride))
        y += self.shortcut(x)
        return y, before_stride


class Xception(Backbone):
    """Entry, middle and exit flow.

    Source: Chen et al. 2018, arXiv:1802.02611, figure 4. The levels of strides 4, 8 and 16 are the second separable
    convolutions of the blocks that stride from there, not yet rectified, as the authors' code feeds the first of them
    to the decoder; the last level is the end.

    Args:
        depth: Layers with weights.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
        multi_grid: Multiplies the rates of the last three convolutions.
        in_channels: Bands of the image.
    """

    def __init__(
        self,
        depth: Depth,
        output_stride: int,
        multi_grid: tuple[int, int, int] = (1, 1, 1),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormActivation(in_channels, 32, 3, stride=2), ConvNormActivation(32, 64, 3))
        self.blocks = nn.ModuleList()
        self.level_blocks: list[int] = []
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=2)
        before = 64
        for channels, stride in _layout(depth):
            if stride > 1 and self.blocks:
                self.level_blocks.append(len(self.blocks))
                self.channels += (channels[1],)
                self.strides += (strides_into_rates.stride,)
            project = stride > 1 or before != channels[-1]
            self.blocks.append(XceptionBlock(before, channels, strides_into_rates.step(stride), project=project))
            before = channels[-1]
        self.end = nn.Sequential()
        for channels_of_one, grid in zip(_EXIT[1], multi_grid, strict=True):
            self.end.append(AtrousSeparableConv(before, channels_of_one, rate=strides_into_rates.rate * grid))
            before = channels_of_one
        self.channels += (before,)
        self.strides += (strides_into_rates.stride,)
        apply_batch_norm(self, BatchNormConfig(epsilon=1e-3))  # the released weights are TensorFlow's

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.stem(image)
        levels = []
        for index, block in enumerate(self.blocks):
            x, before_stride = block(x)
            if index in self.level_blocks:
                levels.append(before_stride)
        return [*levels, self.end(x)]


def _layout(depth: Depth) -> list[tuple[tuple[int, int, int], int]]:
    """Return channels and stride of every block that adds to its input."""
    entry = [((channels,) * 3, stride) for channels, stride in _ENTRY[depth]]
    middle = [((728, 728, 728), 1)] * _MIDDLE_BLOCKS[depth]
    return [*entry, *middle, (_EXIT[0], 2)]
