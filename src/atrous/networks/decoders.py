"""Decoders: from context back to finer features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from atrous.networks.layers import ConvNormActivation, conv3x3, resize_bilinear


class LowLevelDecoder(nn.Module):
    """Brings the edges of the finest level to the context.

    Source: Chen et al. 2018, arXiv:1802.02611, sections 3.1 and 4.1.

    Args:
        finest_channels: Channels of the backbone's finest level.
        context_channels: Channels of the context.
        low_level_channels: Channels to which the finest level is reduced, lest it outweigh the context.
        out_channels: Channels of the result.
        separable: Whether the two 3x3 convolutions are separable.
    """

    def __init__(
        self,
        finest_channels: int,
        context_channels: int,
        low_level_channels: int = 48,
        out_channels: int = 256,
        *,
        separable: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.low_level = ConvNormActivation(finest_channels, low_level_channels)
        self.refine = nn.Sequential(
            conv3x3(context_channels + low_level_channels, out_channels, separable=separable),
            conv3x3(out_channels, out_channels, separable=separable),
        )

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return features [B, out_channels, h, w] at the size of the finest level.

        Args:
            context: [B, context_channels, ...], at the size of the deepest level.
            levels: The backbone's levels, fine to coarse.
        """
        low_level = self.low_level(levels[0])
        context = resize_bilinear(context, low_level.shape[-2:])
        refined: Tensor = self.refine(torch.cat([context, low_level], dim=1))
        return refined
