"""The large field of view: the fully connected layers of VGG-16 as one atrous and one 1x1 convolution."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LargeFieldOfView(nn.Module):
    """Layers fc6 and fc7 of VGG-16 as convolutions, side by side where there are several rates.

    Source: Chen et al. 2014, arXiv:1412.7062, section 3.1 and table 2 (one rate); Chen et al. 2016, arXiv:1606.00915,
    figure 7 (several: there each has a classifier of its own and their logits are added, which equals one classifier
    of all of them concatenated).

    Args:
        in_channels: Channels of the deepest features.
        rates: Atrous rate of each fc6, in pixels of these features.
        channels: Channels of each fc6 and fc7.
        kernel_size: Height and width of fc6, odd.
        average_first: Whether each fc6 sees the means of 3x3 features, as in the authors' network (pool5a).
        dropout: Share of the values that is dropped behind each layer in training.
    """

    def __init__(
        self,
        in_channels: int,
        rates: Sequence[int] = (12,),
        channels: int = 1024,
        *,
        kernel_size: int = 3,
        average_first: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.average = nn.AvgPool2d(3, stride=1, padding=1) if average_first else nn.Identity()
        self.out_channels = len(rates) * channels
        self.branches = nn.ModuleList(_branch(in_channels, channels, kernel_size, rate, dropout) for rate in rates)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for the deepest features [B, in_channels, H, W]."""
        averaged = self.average(x)
        return torch.cat([branch(averaged) for branch in self.branches], dim=1)


def _branch(in_channels: int, channels: int, kernel_size: int, rate: int, dropout: float) -> nn.Sequential:
    padding = rate * (kernel_size // 2)
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            fc6=nn.Conv2d(in_channels, channels, kernel_size, padding=padding, dilation=rate),
            relu6=nn.ReLU(inplace=True),
            dropout6=nn.Dropout(dropout),
            fc7=nn.Conv2d(channels, channels, kernel_size=1),
            relu7=nn.ReLU(inplace=True),
            dropout7=nn.Dropout(dropout),
        )
    )
