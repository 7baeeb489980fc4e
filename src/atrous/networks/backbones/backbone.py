"""What every backbone is: an image in, its levels of features out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Base of all backbones.

    Attributes:
        channels: Channels of each level, fine to coarse.
        strides: Pixels of the image per pixel of each level, fine to coarse.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    @abstractmethod
    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse.

        Args:
            image: float [B, 3, H, W], scaled as the backbone's weights want it.

        Returns:
            Per level float [B, channels, ceil(H / stride), ceil(W / stride)].
        """
