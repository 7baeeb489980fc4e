"""Dilated residual networks: made for output stride 8, with layers at the end that smooth the grid away."""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.backbones.resnet import BasicBlock, Bottleneck
from atrous.networks.layers import ConvNormActivation

Variant = Literal["C-26", "C-42", "C-58", "D-22", "D-38", "D-54", "D-105"]


class DRNConfig(Config):
    """Choices of Yu et al. 2017 (arXiv:1705.09914); the D networks are those of the authors' code."""

    kind: Literal["drn"] = "drn"
    variant: Variant = "D-54"
    """C-26, C-42, C-58, D-22, D-38, D-54 or D-105; the number counts the layers with weights."""
    in_channels: Bands = 3
    """Bands of the picture."""


class _Level(NamedTuple):
    channels: int
    stride: int
    rate: int


# The paper's levels; 1, 2, 7 and 8 are plain in the D networks, 7 and 8 add nothing to their input in the C.
_LEVELS = (
    _Level(16, 1, 1),
    _Level(32, 2, 1),
    _Level(64, 2, 1),
    _Level(128, 2, 1),
    _Level(256, 1, 2),
    _Level(512, 1, 4),
    _Level(512, 1, 2),
    _Level(512, 1, 1),
)
_DEEPEST = (3, 4, 6, 8)
"""The levels of the paper whose ends are ours: strides 4 and 8, the last that adds to its input, the smoothed end."""


class DRN(Backbone):
    """Eight levels of residual blocks and plain convolutions; ours are the ends of levels 3, 4, 6 and 8.

    Source: Yu et al. 2017, arXiv:1705.09914, sections 2 to 4. The rates 2 and 4 of levels 5 and 6 hold for all their
    convolutions, and are part of the network: it was never coarser than output stride 8.

    Args:
        variant: The network.
        output_stride: Pixels of the image per pixel of the deepest features: 8, or 4 with all rates behind doubled.
        in_channels: Bands of the image.
    """

    def __init__(self, variant: Variant, output_stride: int, in_channels: int = 3) -> None:
        super().__init__()
        block, counts = _LAYOUTS[variant]
        plain_blocks = variant.startswith("D")
        before = _LEVELS[0].channels
        self.stem = ConvNormActivation(in_channels, before, 7)
        self.levels = nn.ModuleList()
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride)
        for number, (level, count) in enumerate(zip(_LEVELS, (1, 1, *counts, 1, 1), strict=True), start=1):
            layers = nn.Sequential()
            for index in range(count):
                step = strides_into_rates.step(level.stride if index == 0 else 1).times(level.rate)
                if number in (1, 2) and not plain_blocks:
                    layers.append(BasicBlock(before, level.channels, step))
                    before = level.channels
                elif number in (3, 4, 5, 6):
                    layers.append(block(before, level.channels, step))
                    before = level.channels * block.expansion
                else:
                    layers.append(_plain(before, level.channels, step, convolutions=1 if plain_blocks else 2))
                    before = level.channels
            self.levels.append(layers)
            if number in _DEEPEST:
                self.channels += (before,)
                self.strides += (strides_into_rates.stride,)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.stem(image)
        levels = []
        for number, level in enumerate(self.levels, start=1):
            x = level(x)
            if number in _DEEPEST:
                levels.append(x)
        return levels


def _plain(in_channels: int, channels: int, step: Step, convolutions: int) -> nn.Sequential:
    layers = nn.Sequential(ConvNormActivation(in_channels, channels, 3, stride=step.stride, rate=step.rate))
    for _ in range(convolutions - 1):
        layers.append(ConvNormActivation(channels, channels, 3, rate=step.next_rate))
    return layers


_LAYOUTS: dict[Variant, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    "C-26": (BasicBlock, (2, 2, 2, 2)),
    "C-42": (BasicBlock, (3, 4, 6, 3)),
    "C-58": (Bottleneck, (3, 4, 6, 3)),
    "D-22": (BasicBlock, (2, 2, 2, 2)),
    "D-38": (BasicBlock, (3, 4, 6, 3)),
    "D-54": (Bottleneck, (3, 4, 6, 3)),
    "D-105": (Bottleneck, (3, 4, 23, 3)),
}
