"""The convolutions of context and decoder: in one step or separable, with a rate in each direction."""

from collections import OrderedDict

from torch import nn

from atrous.networks.layers import BatchNorm, DepthwiseConv, Normalized

RatePair = tuple[int, int]


def atrous_conv(
    in_channels: int,
    out_channels: int,
    *,
    kernel_size: int = 3,
    rate: int | RatePair = 1,
    separable: bool = False,
    norm_between: bool = True,
) -> nn.Sequential:
    """Return a normalized and rectified convolution that keeps the size of its input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        rate: Distance of neighbouring taps in pixels, the same in both directions or (vertical, horizontal).
        separable: Whether it works in two steps, within channels and then across them (arXiv:1802.02611, section 3.1);
            a 1x1 convolution is never separable.
        norm_between: Whether the first of two steps is normalized and rectified too, as in the authors' code
            (research/deeplab, split separable convolution).
    """
    rates = (rate, rate) if isinstance(rate, int) else rate
    if not separable or kernel_size == 1:
        return _normalized(_convolution(in_channels, out_channels, kernel_size, rates))
    depthwise = _convolution(in_channels, in_channels, kernel_size, rates, depthwise=True)
    first = _normalized(depthwise) if norm_between else nn.Sequential(OrderedDict(convolution=depthwise))
    second = _normalized(_convolution(in_channels, out_channels, 1, (1, 1)))
    return nn.Sequential(OrderedDict(depthwise=first, pointwise=second))


def _convolution(
    in_channels: int, out_channels: int, kernel_size: int, rates: RatePair, *, depthwise: bool = False
) -> nn.Conv2d:
    vertical, horizontal = rates
    return (DepthwiseConv if depthwise else nn.Conv2d)(
        in_channels,
        out_channels,
        kernel_size,
        padding=(vertical * (kernel_size // 2), horizontal * (kernel_size // 2)),
        dilation=rates,
        groups=in_channels if depthwise else 1,
        bias=False,
    )


def _normalized(convolution: nn.Conv2d) -> nn.Sequential:
    norm = BatchNorm(convolution.out_channels)
    return Normalized(OrderedDict[str, nn.Module](convolution=convolution, norm=norm, activation=nn.ReLU(inplace=True)))
