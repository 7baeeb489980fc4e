"""ResNet: a deep backbone of residual blocks."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self, cast

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands
from atrous.networks.layers import ConvNormActivation
from atrous.networks.padding import MaxPool2d

Depth = Literal[18, 34, 50, 101, 152]
Stem = Literal["torchvision", "caffe", "deeplab", "resnet_c"]
StrideIn = Literal["3x3", "1x1"]
StrideUnit = Literal["first", "last"]
LostStride = Literal["keeps_rate", "doubles_rate"]
Rate = Annotated[int, Field(ge=1)]


class ResNetConfig(Config):
    """Choices of He et al. 2015 (arXiv:1512.03385)."""

    kind: Literal["resnet"] = "resnet"
    depth: Depth = 50
    """Layers with weights in the classification network: 18, 34, 50, 101 or 152."""
    stem: Stem = "torchvision"
    """How it begins: torchvision's 7x7 convolution, the same with Caffe's pool that rounds sizes up, or the three 3x3
    convolutions of DeepLab's code, also called "beta", or those with half the channels of ResNet-C (He et al. 2018,
    arXiv:1812.01187, section 4.1), as in mmsegmentation."""
    stride_in: StrideIn = "3x3"
    """Which convolution of a bottleneck strides: the 3x3 as in torchvision, or the first 1x1 as in the paper and in
    Caffe, and so in DeepLab v2."""
    stride_unit: StrideUnit = "first"
    """Which unit of a stage strides: its first, as in the paper, or the last one of each stage but the last, as in
    TensorFlow's; a level is then what the unit before finds, before it is added, as in research/deeplab."""
    lost_stride: LostStride = "keeps_rate"
    """The rate of a 3x3 convolution that loses its stride: the one it had, so that all output strides compute the same
    features, or already the doubled one of all that follow, as in SMP's networks."""
    multi_grid: tuple[Rate, ...] = (1, 1, 1)
    """Multiplies the rates of the units of the last stage, one number for each (DeepLabv3, section 3.2.2)."""
    in_channels: Bands = 3
    """Bands of the picture."""

    @model_validator(mode="after")
    def _choices_fit_the_depth(self) -> Self:
        block, counts = _LAYOUTS[self.depth]
        if self.stride_unit == "last" and block is BasicBlock:
            raise ValueError(
                f"`stride_unit` last is TensorFlow's layout of bottlenecks, but depth {self.depth} has none: take "
                "first, or depth 50, 101 or 152"
            )
        if self.stride_in == "1x1" and block is BasicBlock:
            raise ValueError(
                f"the blocks of depth {self.depth} have no 1x1 convolution to stride in: take `stride_in` 3x3, or "
                "depth 50, 101 or 152"
            )
        if set(self.multi_grid) != {1} and len(self.multi_grid) != counts[-1]:
            raise ValueError(
                f"`multi_grid` has {len(self.multi_grid)} numbers, but the last stage of depth {self.depth} has "
                f"{counts[-1]} units: give one number for each, such as {', '.join(map(str, (1, 2, 4)[: counts[-1]]))}"
            )
        return self


class _Block(nn.Module):
    """Adds what its layers find to its input, which is projected where the channels differ."""

    expansion: int

    def __init__(self, in_channels: int, width: int, step: Step, layers: nn.Sequential) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.layers = layers
        # A strided block also widens, or, in TensorFlow's layout, takes every other pixel as it is. So the channels
        # alone tell, and the parameters are the same at every output stride.
        self.shortcut: nn.Module = nn.MaxPool2d(1, step.stride) if step.stride > 1 else nn.Identity()
        if in_channels != out_channels:
            self.shortcut = ConvNormActivation(in_channels, out_channels, stride=step.stride, activation=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        return self.add(x, self.layers(x))

    def add(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return the output for the input and what the layers found in it, which is overwritten."""
        residual += self.shortcut(x)
        return F.relu(residual, inplace=True)


class BasicBlock(_Block):
    """Two 3x3 convolutions, for depths 18 and 34; the first one strides."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, step: Step, stride_in: StrideIn = "3x3") -> None:
        del stride_in  # it has no other
        layers = nn.Sequential(
            ConvNormActivation(in_channels, width, 3, stride=step.stride, rate=step.rate),
            ConvNormActivation(width, width, 3, rate=step.next_rate, activation=nn.Identity),
        )
        super().__init__(in_channels, width, step, layers)


class Bottleneck(_Block):
    """Narrow, look around, widen; for depths 50 and more.

    The weights that exist mostly stride in the 3x3 convolution ("v1.5"), those from Caffe in the first 1x1 as the
    paper does. A 3x3 behind a stride that was lost already runs at the doubled rate.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, step: Step, stride_in: StrideIn = "3x3") -> None:
        first, middle, rate = 1, step.stride, step.rate
        if stride_in == "1x1":
            first, middle, rate = step.stride, 1, step.next_rate
        layers = nn.Sequential(
            ConvNormActivation(in_channels, width, stride=first),
            ConvNormActivation(width, width, 3, stride=middle, rate=rate),
            ConvNormActivation(width, width * self.expansion, activation=nn.Identity),
        )
        super().__init__(in_channels, width, step, layers)


class ResNet(Backbone):
    """Four stages of residual blocks; the levels are the ends of the stages.

    Source: He et al. 2015, arXiv:1512.03385, table 1. Multi-grid: Chen et al. 2017, arXiv:1706.05587, section 3.2.2.
    With `stride_in` 1x1, rates are the paper's, 2 * (1, 2, 4) at output stride 16. With 3x3, the first unit's
    convolution is the very one that lost its stride, and so keeps half of that: 1, 4, 8.

    Args:
        config: Its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32. At 4 all stages run at
            the stride of the first one, at rates up to 8.
    """

    def __init__(self, config: ResNetConfig, output_stride: int) -> None:
        super().__init__()
        block, counts = _LAYOUTS[config.depth]
        widths = (64, 128, 256, 512)
        self.stem, before = _stem(config.stem, config.in_channels)
        self.pool = MaxPool2d(3, stride=2, padding=1, ceil_mode=config.stem == "caffe")
        self.stages = nn.ModuleList()
        self.channels = tuple(width * block.expansion for width in widths)
        self.strides = ()
        self.levels_are_residuals = config.stride_unit == "last"
        strides_into_rates = StridesIntoRates(output_stride, stride=4)
        grids = [(1,) * count for count in counts]
        if set(config.multi_grid) != {1}:
            grids[-1] = config.multi_grid
        for number, (width, grid) in enumerate(zip(widths, grids, strict=True)):
            blocks = nn.Sequential()
            for index, times in enumerate(grid):
                before_stride = strides_into_rates.stride
                step = strides_into_rates.step(_unit_stride(config.stride_unit, number, index, len(grid))).times(times)
                if config.lost_stride == "doubles_rate":
                    step = step._replace(rate=step.next_rate)
                blocks.append(block(before, width, step, config.stride_in))
                before = width * block.expansion
            self.stages.append(blocks)
            self.strides += (before_stride if self.levels_are_residuals else strides_into_rates.stride,)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = self.pool(self.stem(image))
        levels = []
        for stage in self.stages:
            x, level = self._through(stage, x)
            levels.append(level)
        return levels

    def _through(self, stage: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a stage hands on, and its level."""
        if not self.levels_are_residuals or stage is self.stages[-1]:
            x = stage(x)
            return x, x
        *units, before_stride, striding = cast(Iterable[_Block], stage.children())
        for unit in units:
            x = unit(x)
        level = before_stride.layers(x)
        return striding(before_stride.add(x, level.clone())), level


def _unit_stride(unit: StrideUnit, stage: int, index: int, count: int) -> int:
    """The stride of a unit: 2 once in each stage but the first, or but the last."""
    if unit == "first":
        return 2 if stage > 0 and index == 0 else 1
    return 2 if stage < 3 and index == count - 1 else 1


def _stem(stem: Stem, in_channels: int) -> tuple[nn.Sequential, int]:
    """Return the layers before the pool, at stride 2, and their channels."""
    if stem in ("deeplab", "resnet_c"):
        width = 64 if stem == "deeplab" else 32
        layers = nn.Sequential(
            ConvNormActivation(in_channels, width, 3, stride=2),
            ConvNormActivation(width, width, 3),
            ConvNormActivation(width, 2 * width, 3),
        )
        return layers, 2 * width
    return ConvNormActivation(in_channels, 64, 7, stride=2), 64


_LAYOUTS: dict[Depth, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
