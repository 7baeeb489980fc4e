"""Decoders: from context back to finer features, and what may follow the classifier."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from atrous.networks.convolutions import atrous_conv
from atrous.networks.layers import ConvNormActivation, ResizeMode, resize_bilinear


class KeepContext(nn.Module):
    """No decoder: the context is classified as it is, as in every DeepLab before v3+ and in v3+ on MobileNetV2."""

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:  # noqa: ARG002 - as all decoders
        """Return the context."""
        return context


class LowLevelDecoder(nn.Module):
    """Brings the edges of a finer level to the context.

    Source: Chen et al. 2018, arXiv:1802.02611, sections 3.1 and 4.1.

    Args:
        finest_channels: Channels of the finer level.
        context_channels: Channels of the context.
        low_level_channels: Channels to which the finer level is reduced, lest it outweigh the context.
        out_channels: Channels of the result.
        level: Which of the backbone's levels it is, fine to coarse.
        convolutions: How many 3x3 convolutions follow the concatenation.
        separable: Whether these are separable.
        norm_between: Whether a separable one is normalized and rectified between its two steps.
        resize: Where pixels lie on each other when the context is enlarged.
    """

    def __init__(
        self,
        finest_channels: int,
        context_channels: int,
        low_level_channels: int = 48,
        out_channels: int = 256,
        *,
        level: int = 0,
        convolutions: int = 2,
        separable: bool = False,
        norm_between: bool = True,
        resize: ResizeMode = "half_pixel",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.level = level
        self.resize = resize
        self.low_level = ConvNormActivation(finest_channels, low_level_channels)
        self.refine = nn.Sequential()
        channels = context_channels + low_level_channels
        for _ in range(convolutions):
            self.refine.append(atrous_conv(channels, out_channels, separable=separable, norm_between=norm_between))
            channels = out_channels

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return features [B, out_channels, h, w] at the size of the finer level.

        Args:
            context: [B, context_channels, ...], at the size of the deepest level, or of a decoder before.
            levels: The backbone's levels, fine to coarse.
        """
        low_level = self.low_level(levels[self.level])
        context = resize_bilinear(context, low_level.shape[-2:], self.resize)
        refined: Tensor = self.refine(torch.cat([context, low_level], dim=1))
        return refined


class CoarseToFineDecoder(nn.Module):
    """Several low-level decoders, each continuing the one before.

    Source: Cheng et al. 2020, arXiv:1911.10194, section 3.1 (Panoptic-DeepLab).

    Args:
        stages: From the coarsest of the finer levels to the finest.
    """

    def __init__(self, stages: Sequence[LowLevelDecoder]) -> None:
        super().__init__()
        self.out_channels = stages[-1].out_channels
        self.stages = nn.ModuleList(stages)

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return features [B, out_channels, h, w] at the size of the finest level that is fused."""
        for stage in self.stages:
            context = stage(context, levels)
        return context


class ConcatenateLevel(nn.Module):
    """Puts a finer level beside the enlarged context, both as they are.

    A 1x1 classifier of this equals the sum of one classifier of each: the decoder of LR-ASPP.

    Source: Howard et al. 2019, arXiv:1905.02244, section 6.4, figure 10.

    Args:
        level: Which of the backbone's levels, fine to coarse.
        resize: Where pixels lie on each other when the context is enlarged.
    """

    def __init__(self, level: int, resize: ResizeMode = "half_pixel") -> None:
        super().__init__()
        self.level = level
        self.resize = resize

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Return features [B, channels of context and level, h, w] at the size of the level."""
        finer = levels[self.level]
        return torch.cat([resize_bilinear(context, finer.shape[-2:], self.resize), finer], dim=1)


class BoundaryRefinement(nn.Module):
    """A residual block on the logits themselves.

    Source: Peng et al. 2017, arXiv:1703.02719, section 3.2, figure 2 C.

    Args:
        num_classes: Channels of the logits.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(num_classes, num_classes, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(num_classes, num_classes, kernel_size=3, padding=1),
        )

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits [B, num_classes, H, W] for logits of the same shape."""
        refined: Tensor = logits + self.layers(logits)
        return refined


class AuxiliaryHead(nn.Module):
    """A small fully convolutional classifier of a level on the way, which only training listens to.

    Source: Zhao et al. 2017, arXiv:1612.01105, section 3.3; layers and dropout as in torchvision.

    Args:
        in_channels: Channels of the level; a quarter of them reaches the classifier.
        num_classes: Channels of the logits.
        level: Which of the backbone's levels, fine to coarse.
        weight: Of its loss, where that of the network itself has 1.
    """

    def __init__(self, in_channels: int, num_classes: int, level: int, weight: float = 0.4) -> None:
        super().__init__()
        self.level = level
        self.weight = weight
        hidden = in_channels // 4
        self.convolution = ConvNormActivation(in_channels, hidden, 3)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Conv2d(hidden, num_classes, kernel_size=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return logits [B, num_classes, h, w] at the size of the level."""
        logits: Tensor = self.classifier(self.dropout(self.convolution(levels[self.level])))
        return logits
