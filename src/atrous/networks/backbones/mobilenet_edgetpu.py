"""MobileNet-EdgeTPU: inverted residual blocks whose first two convolutions are one, where a matrix unit likes it."""

from collections import OrderedDict
from typing import Literal, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.backbones.mobilenet_v2 import scaled_channels
from atrous.networks.layers import BatchNormConfig, ConvNormActivation, apply_batch_norm


class MobileNetEdgeTPUConfig(Config):
    """Choices of the network in "Accelerator-aware Neural Network Design" (Gupta and Akin 2020, arXiv:2003.02838)."""

    kind: Literal["mobilenet_edgetpu"] = "mobilenet_edgetpu"
    width: float = Field(default=1.0, gt=0)
    """Multiplies the channels of all layers but the last; 0.75 is called "slim" by those who released it."""
    in_channels: Bands = 3
    """Bands of the picture."""


class _Stage(NamedTuple):
    channels: int
    blocks: int
    stride: int
    kernel: int
    fused: bool


# The published table (slim's mobilenet_edgetpu): the first block of a stage expands by 8 and is no residual, the others
# by 4. Grouped by levels.
_LEVELS = (
    (_Stage(32, 4, 2, 3, fused=True),),
    (_Stage(48, 4, 2, 3, fused=True),),
    (_Stage(96, 4, 2, 3, fused=False), _Stage(96, 4, 1, 3, fused=False)),
    (_Stage(160, 4, 2, 5, fused=False), _Stage(192, 1, 1, 3, fused=False)),
)


class EdgeTPUBlock(nn.Module):
    """Widen and look around, in one convolution or in two, and narrow without activation."""

    def __init__(self, in_channels: int, hidden: int, stage: _Stage, step: Step, *, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        layers = OrderedDict[str, nn.Module]()
        if stage.fused:
            layers["expand"] = ConvNormActivation(in_channels, hidden, stage.kernel, stride=step.stride, rate=step.rate)
        else:
            layers["expand"] = ConvNormActivation(in_channels, hidden)
            layers["depthwise"] = ConvNormActivation(
                hidden, hidden, stage.kernel, stride=step.stride, rate=step.rate, groups=hidden
            )
        layers["project"] = ConvNormActivation(hidden, stage.channels, activation=nn.Identity)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, channels, H, W] for [B, in_channels, H, W], smaller by the stride."""
        y: Tensor = self.layers(x)
        if self.residual:
            y += x
        return y


class MobileNetEdgeTPU(Backbone):
    """Fused and depthwise inverted residuals; the levels are the ends at strides 4, 8 and 16, and the last convolution.

    Source: Gupta and Akin 2020, arXiv:2003.02838, and the authors' table in slim.

    Args:
        config: Its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
    """

    def __init__(self, config: MobileNetEdgeTPUConfig, output_stride: int) -> None:
        super().__init__()
        stem, channels = (scaled_channels(count, config.width) for count in (32, 16))
        self.stem = ConvNormActivation(config.in_channels, stem, 3, stride=2)
        self.first = ConvNormActivation(stem, channels, activation=nn.Identity)
        self.levels = nn.ModuleList()
        self.channels = self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=2)
        for stages in _LEVELS:
            level = nn.Sequential()
            for table in stages:
                stage = table._replace(channels=scaled_channels(table.channels, config.width))
                for index in range(stage.blocks):
                    step = strides_into_rates.step(stage.stride if index == 0 else 1)
                    hidden = channels * (8 if index == 0 else 4)
                    level.append(EdgeTPUBlock(channels, hidden, stage, step, residual=index > 0))
                    channels = stage.channels
            self.levels.append(level)
            self.channels += (channels,)
            self.strides += (strides_into_rates.stride,)
        self.last = ConvNormActivation(channels, 1280)
        self.channels = (*self.channels[:-1], 1280)
        apply_batch_norm(self, BatchNormConfig(epsilon=1e-3))  # the released weights are TensorFlow's

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.first(self.stem(image))
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        return [*levels[:-1], self.last(x)]
