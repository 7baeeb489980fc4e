"""ResNet: a deep backbone of residual blocks."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.layers import ConvNormActivation

Depth = Literal[18, 34, 50, 101, 152]


class ResNetConfig(Config):
    """Choices of He et al. 2015 (arXiv:1512.03385)."""

    kind: Literal["resnet"] = "resnet"
    depth: Depth = 50
    """Layers with weights in the classification network: 18, 34, 50, 101 or 152."""


class _Block(nn.Module):
    """Adds what its layers find to its input, which is projected where the channels differ."""

    expansion: int

    def __init__(self, in_channels: int, width: int, step: Step, layers: nn.Sequential) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.layers = layers
        # Every strided block of a ResNet also widens, so the channels alone tell; the parameters are then
        # the same at every output stride.
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = ConvNormActivation(in_channels, out_channels, stride=step.stride, activation=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.layers(x)
        residual += self.shortcut(x)
        return F.relu(residual, inplace=True)


class BasicBlock(_Block):
    """Two 3x3 convolutions, for depths 18 and 34."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, step: Step) -> None:
        layers = nn.Sequential(
            ConvNormActivation(in_channels, width, 3, stride=step.stride, rate=step.rate),
            ConvNormActivation(width, width, 3, rate=step.next_rate, activation=nn.Identity),
        )
        super().__init__(in_channels, width, step, layers)


class Bottleneck(_Block):
    """Narrow, look around, widen; for depths 50 and more.

    The stride is in the 3x3 convolution and not in the paper's first 1x1 ("v1.5"): so are the weights that exist.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, step: Step) -> None:
        layers = nn.Sequential(
            ConvNormActivation(in_channels, width),
            ConvNormActivation(width, width, 3, stride=step.stride, rate=step.rate),
            ConvNormActivation(width, width * self.expansion, activation=nn.Identity),
        )
        super().__init__(in_channels, width, step, layers)


class ResNet(Backbone):
    """Four stages of residual blocks; the levels are the ends of the stages.

    Source: He et al. 2015, arXiv:1512.03385, table 1.

    Args:
        depth: Layers with weights in the classification network.
        output_stride: Pixels of the image per pixel of the deepest features: 8, 16 or 32.
    """

    def __init__(self, depth: Depth, output_stride: int) -> None:
        super().__init__()
        block, counts = _LAYOUTS[depth]
        widths = (64, 128, 256, 512)
        self.stem = ConvNormActivation(3, widths[0], 7, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        self.channels = tuple(width * block.expansion for width in widths)
        self.strides = ()
        strides_into_rates = StridesIntoRates(output_stride, stride=4)
        in_channels = widths[0]
        for width, stride, count in zip(widths, (1, 2, 2, 2), counts, strict=True):
            blocks = nn.Sequential()
            for index in range(count):
                step = strides_into_rates.step(stride if index == 0 else 1)
                blocks.append(block(in_channels, width, step))
                in_channels = width * block.expansion
            self.stages.append(blocks)
            self.strides += (strides_into_rates.stride,)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.pool(self.stem(image))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels


_LAYOUTS: dict[Depth, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
