"""Atrous spatial pyramid pooling: the same features seen at several scales at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from atrous.networks.convolutions import atrous_conv
from atrous.networks.layers import ConvNormActivation


class ASPP(nn.Module):
    """Parallel convolutions at several rates, and the mean of the whole image.

    Source: Chen et al. 2017, arXiv:1706.05587, section 3.3.

    Args:
        in_channels: Channels of the deepest features.
        rates: Atrous rate of each 3x3 branch, in pixels of these features.
        out_channels: Channels of each branch and of the result.
        separable: Whether the 3x3 convolutions are atrous separable ones (arXiv:1802.02611, section 3.1).
        norm_between: Whether a separable one is normalized and rectified between its two steps.
        projection_kernel: Of the convolution that joins the branches; 1 in the paper, 3 in mmsegmentation.
        head_convolution: Whether a last 3x3 convolution follows; not of the paper, but of torchvision.
        dropout: Share of the pyramid's values that is dropped in training.
    """

    def __init__(
        self,
        in_channels: int,
        rates: Sequence[int],
        out_channels: int = 256,
        *,
        separable: bool = False,
        norm_between: bool = True,
        projection_kernel: int = 1,
        head_convolution: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.pointwise = ConvNormActivation(in_channels, out_channels)
        self.pyramid = nn.ModuleList(
            atrous_conv(in_channels, out_channels, rate=rate, separable=separable, norm_between=norm_between)
            for rate in rates
        )
        self.image_pooling = ConvNormActivation(in_channels, out_channels)
        self.projection = ConvNormActivation((len(rates) + 2) * out_channels, out_channels, projection_kernel)
        self.dropout = nn.Dropout(dropout)
        self.head: nn.Module = nn.Identity()
        if head_convolution:
            self.head = atrous_conv(out_channels, out_channels, separable=separable, norm_between=norm_between)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for the deepest features [B, in_channels, H, W]."""
        point = self.pointwise(x)
        pyramid = [branch(x) for branch in self.pyramid]
        image = self.image_pooling(x.mean(dim=(2, 3), keepdim=True))
        # An expanded tensor has no memory format, and would turn the whole concatenation to channels-first.
        everywhere = torch.zeros_like(point) + image
        context: Tensor = self.head(self.dropout(self.projection(torch.cat([point, *pyramid, everywhere], dim=1))))
        return context


class ASPPClassifiers(nn.Module):
    """The first atrous spatial pyramid pooling: classifiers at several rates whose logits are added.

    Source: Chen et al. 2016, arXiv:1606.00915, section 3.2, as on ResNet-101: 3x3 convolutions with bias straight to
    the classes, without normalization.

    Args:
        in_channels: Channels of the features.
        num_classes: Channels of the logits.
        rates: Atrous rate of each 3x3 classifier, in pixels of the features.
    """

    def __init__(self, in_channels: int, num_classes: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = num_classes
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, num_classes, kernel_size=3, padding=rate, dilation=rate) for rate in rates
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, num_classes, H, W] for features [B, in_channels, H, W]."""
        first, *others = self.branches
        logits: Tensor = first(x)
        for branch in others:
            logits = logits + branch(x)
        return logits
