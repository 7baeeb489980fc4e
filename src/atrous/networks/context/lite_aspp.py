"""Lite reduced atrous spatial pyramid pooling: one projection, gated by what the whole image holds."""

from collections import OrderedDict

from torch import Tensor, nn

from atrous.networks.layers import ConvNormActivation


class LiteASPP(nn.Module):
    """A 1x1 convolution whose channels are gated by the mean of the image, as in squeeze-and-excitation.

    Source: Howard et al. 2019, arXiv:1905.02244, section 6.4, figure 10. The paper pools in windows of 49x49 at
    strides (16, 20), which on its Cityscapes pictures is nearly the whole; here it is the whole, as in torchvision.

    Args:
        in_channels: Channels of the deepest features.
        out_channels: Channels of the result.
    """

    def __init__(self, in_channels: int, out_channels: int = 128) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.projection = ConvNormActivation(in_channels, out_channels)
        convolution = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.gate = nn.Sequential(OrderedDict[str, nn.Module](convolution=convolution, activation=nn.Sigmoid()))

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for the deepest features [B, in_channels, H, W]."""
        gated: Tensor = self.projection(x) * self.gate(x.mean(dim=(2, 3), keepdim=True))
        return gated
