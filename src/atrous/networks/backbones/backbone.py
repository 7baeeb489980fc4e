"""What every backbone is: an image in, its levels of features out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Base of all backbones.

    Attributes:
        channels: Channels of each level, fine to coarse.
        strides: Pixels of the image per pixel of each level, fine to coarse.
        has_weights: Whether it comes with trained weights, which no initialization may draw anew.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    has_weights: bool = False

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse.

        Args:
            image: float [B, bands, H, W], scaled as the backbone's weights want it.

        Returns:
            Per level float [B, channels, ceil(H / stride), ceil(W / stride)]. Caffe's pools (VGG-16 with `pools:
            caffe`, ResNet with `stem: caffe`) make an even size half of it and one, as their weights know it.
        """
