"""VGG-16: plain 3x3 convolutions, the backbone of DeepLab v1 and of the first DeepLab v2."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones.atrous import StridesIntoRates
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands

Pools = Literal["caffe", "torchvision"]


class VGG16Config(Config):
    """Choices of Simonyan and Zisserman 2014 (arXiv:1409.1556), as DeepLab v1 (arXiv:1412.7062) takes them."""

    kind: Literal["vgg16"] = "vgg16"
    pools: Pools = "caffe"
    """The maximum over 3x3, as DeepLab was released for Caffe, or over 2x2, as in the paper and in torchvision."""
    in_channels: Bands = 3
    """Bands of the picture."""


# Channels of each convolution; a pool follows each row.
_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class MaxPool3x3(nn.MaxPool2d):
    """The pool of the released DeepLab: centred, rounding sizes up as Caffe does, and never atrous.

    An even size becomes half of it and one: 320 pixels give 161. DeepLab's own sizes, such as 321 and 513, are odd.
    """

    def __init__(self, stride: int) -> None:
        super().__init__(3, stride=stride, padding=1, ceil_mode=True)


class MaxPool2x2(nn.Module):
    """The maximum of each pixel, the next one to the right and those below them, at a rate.

    An odd size is rounded up, so that every level has ceil(H / stride) pixels; torchvision drops the last row.
    """

    def __init__(self, stride: int, rate: int) -> None:
        super().__init__()
        self.stride = stride
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, H / stride, W / stride] for [B, C, H, W] without negative values."""
        if self.stride > 1:
            return F.max_pool2d(x, 2, self.stride, ceil_mode=True)
        return F.max_pool2d(F.pad(x, (0, self.rate, 0, self.rate)), 2, stride=1, dilation=self.rate)


class VGG16(Backbone):
    """Thirteen convolutions and five pools; the levels are the ends of stages 3 to 5, and the last pool.

    Source: Simonyan and Zisserman 2014, arXiv:1409.1556, table 1, column D; Chen et al. 2015, arXiv:1412.7062,
    section 3.1: at output stride 8 pools 4 and 5 lose their stride, and the convolutions between them run at rate 2.
    The layers fc6 and fc7 are those of a context, the large field of view.

    Args:
        output_stride: Pixels of the image per pixel of the deepest features: 4, 8, 16 or 32.
        pools: The maximum over 3x3 or 2x2. The former never are atrous, as Caffe knows no such pools; so at output
            stride 8 (and 4) the last pool reaches less far than at 16.
        in_channels: Bands of the image.
    """

    def __init__(self, output_stride: int, pools: Pools = "caffe", in_channels: int = 3) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        self.pools = nn.ModuleList()
        strides = []
        strides_into_rates = StridesIntoRates(output_stride)
        for row in _STAGES:
            rate = strides_into_rates.rate
            stage = nn.Sequential()
            for channels in row:
                stage.append(nn.Conv2d(in_channels, channels, 3, padding=rate, dilation=rate))
                stage.append(nn.ReLU(inplace=True))
                in_channels = channels
            self.stages.append(stage)
            strides.append(strides_into_rates.stride)
            step = strides_into_rates.step(2)
            self.pools.append(MaxPool3x3(step.stride) if pools == "caffe" else MaxPool2x2(step.stride, step.rate))
        self.channels = (256, 512, 512, 512)
        self.strides = (*strides[2:], strides_into_rates.stride)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        x = image
        levels = []
        for stage, pool in zip(self.stages, self.pools, strict=True):
            x = stage(x)
            levels.append(x)
            x = pool(x)
        return [*levels[2:], x]
