"""MobileNetV1: the first light backbone, of depthwise separable convolutions."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.layers import AtrousSeparableConv, BatchNormConfig, ConvNormActivation, apply_batch_norm


class MobileNetV1Config(Config):
    """Choices of Howard et al. 2017 (arXiv:1704.04861)."""

    kind: Literal["mobilenet_v1"] = "mobilenet_v1"
    width: float = Field(default=1.0, gt=0)
    """Multiplies the channels of all layers; the paper's "width multiplier"."""
    in_channels: Bands = 3
    """Bands of the picture."""


# Table 1 of the paper: (channels, stride) of each separable convolution, grouped by levels.
_LEVELS = (
    ((64, 1), (128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)


class MobileNetV1(Backbone):
    """Separable convolutions; the levels are what is deepest at strides 4, 8 and 16, and the end.

    Source: Howard et al. 2017, arXiv:1704.04861, table 1.

    Args:
        width: Multiplies the channels of all layers.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
        in_channels: Bands of the image.
    """

    def __init__(self, width: float, output_stride: int, in_channels: int = 3) -> None:
        super().__init__()
        channels = _scaled(32, width)
        self.stem = ConvNormActivation(in_channels, channels, 3, stride=2, activation=nn.ReLU6)
        self.levels = nn.ModuleList()
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=2)
        for rows in _LEVELS:
            level = nn.Sequential()
            for row_channels, stride in rows:
                step = strides_into_rates.step(stride)
                out_channels = _scaled(row_channels, width)
                level.append(
                    AtrousSeparableConv(channels, out_channels, stride=step.stride, rate=step.rate, activation=nn.ReLU6)
                )
                channels = out_channels
            self.levels.append(level)
            self.channels += (channels,)
            self.strides += (strides_into_rates.stride,)
        apply_batch_norm(self, BatchNormConfig(epsilon=1e-3))  # the released weights are TensorFlow's

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.stem(image)
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        return levels


def _scaled(channels: int, width: float) -> int:
    return max(int(channels * width), 8)  # as in the authors' code
