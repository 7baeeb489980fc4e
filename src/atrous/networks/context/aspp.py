"""Atrous spatial pyramid pooling: the same features seen at several scales at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from atrous.networks.layers import ConvNormActivation, conv3x3


class ASPP(nn.Module):
    """Parallel convolutions at several rates, and the mean of the whole image.

    Source: Chen et al. 2017, arXiv:1706.05587, section 3.3.

    Args:
        in_channels: Channels of the deepest features.
        rates: Atrous rate of each 3x3 branch, in pixels of these features.
        out_channels: Channels of each branch and of the result.
        separable: Whether the 3x3 branches are atrous separable convolutions (arXiv:1802.02611, section 3.1).
        dropout: Share of the result's values that is dropped in training.
    """

    def __init__(
        self,
        in_channels: int,
        rates: Sequence[int],
        out_channels: int = 256,
        *,
        separable: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.pointwise = ConvNormActivation(in_channels, out_channels)
        self.pyramid = nn.ModuleList(
            conv3x3(in_channels, out_channels, rate=rate, separable=separable) for rate in rates
        )
        self.image_pooling = ConvNormActivation(in_channels, out_channels)
        self.projection = ConvNormActivation((len(rates) + 2) * out_channels, out_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for the deepest features [B, in_channels, H, W]."""
        point = self.pointwise(x)
        pyramid = [branch(x) for branch in self.pyramid]
        image = self.image_pooling(x.mean(dim=(2, 3), keepdim=True))
        # An expanded tensor has no memory format, and would turn the whole concatenation to channels-first.
        everywhere = torch.zeros_like(point) + image
        context: Tensor = self.dropout(self.projection(torch.cat([point, *pyramid, everywhere], dim=1)))
        return context
