"""The layers that every part of a network is made of."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = type[nn.ReLU] | type[nn.ReLU6] | type[nn.Identity]


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that can also train where a channel holds a single value.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167. One value has no variance, so a batch of one image that has
    shrunk to 1x1, as it always does in image pooling, is normalized by the running statistics and leaves them alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize [B, C, H, W] per channel."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class DepthwiseConv(nn.Conv2d):
    """A convolution within each channel, which trains in mixed precision at the speed it should.

    Its values are those of `nn.Conv2d`, and so are its parameters.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        dense = self.stride == self.dilation == (1, 1)
        mixed_precision = x.dtype == torch.bfloat16 and self.weight.dtype == torch.float32
        if dense or not (x.is_cpu and mixed_precision and torch.is_grad_enabled()):
            return super().forward(x)
        # oneDNN has no fast bfloat16 gradient of a strided or atrous depthwise convolution. In float32, with both
        # conversions, a training step of MobileNetV2 (4 x 257 x 257, one core) takes 0.63 s instead of 0.80 s.
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


class ConvNormActivation(nn.Sequential):
    """Convolution without bias, batch normalization, activation; padded so that stride 1 keeps the size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        stride: Step of the kernel in pixels.
        rate: Atrous rate, the distance of neighbouring taps in pixels.
        groups: Blocks of channels that do not mix; as many as channels is a depthwise convolution.
        activation: `nn.Identity` for none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        rate: int = 1,
        groups: int = 1,
        activation: Activation = nn.ReLU,
    ) -> None:
        convolution_type = DepthwiseConv if groups == in_channels > 1 else nn.Conv2d
        convolution = convolution_type(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=rate * (kernel_size // 2),
            dilation=rate,
            groups=groups,
            bias=False,
        )
        parts = OrderedDict[str, nn.Module](convolution=convolution, norm=BatchNorm(out_channels))
        if activation is not nn.Identity:
            parts["activation"] = activation(inplace=True)
        super().__init__(parts)


class AtrousSeparableConv(nn.Sequential):
    """A 3x3 convolution in two steps, each normalized and rectified: within channels at a rate, then across them.

    Source: Chen et al. 2018, arXiv:1802.02611, section 3.1. The activation between the steps is that of the authors'
    code (research/deeplab, split separable convolution).
    """

    def __init__(self, in_channels: int, out_channels: int, *, rate: int = 1) -> None:
        depthwise = ConvNormActivation(in_channels, in_channels, 3, rate=rate, groups=in_channels)
        pointwise = ConvNormActivation(in_channels, out_channels)
        super().__init__(OrderedDict[str, nn.Module](depthwise=depthwise, pointwise=pointwise))


def conv3x3(in_channels: int, out_channels: int, *, rate: int = 1, separable: bool = False) -> nn.Module:
    """Return a normalized and rectified 3x3 convolution, in one step or separable."""
    if separable:
        return AtrousSeparableConv(in_channels, out_channels, rate=rate)
    return ConvNormActivation(in_channels, out_channels, 3, rate=rate)


def resize_bilinear(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return [B, C, H, W] at another (height, width); pixels are areas (`align_corners=False`)."""
    height_and_width = list(size)
    if list(x.shape[-2:]) == height_and_width:
        return x
    return F.interpolate(x, size=height_and_width, mode="bilinear", align_corners=False)
