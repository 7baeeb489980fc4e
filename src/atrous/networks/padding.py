"""Padding of what strides: alike on both sides, or as TensorFlow pads."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Padding = Literal["symmetric", "same"]


class Conv2d(nn.Conv2d):
    """A convolution that can pad as TensorFlow's SAME.

    Attributes:
        same: Whether it does; `padding` is then 0, as the input is padded before.
    """

    same = False

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        return super().forward(pad_same(x, self.kernel_size, self.stride) if self.same else x)


class MaxPool2d(nn.MaxPool2d):
    """A pool of maxima that can pad as TensorFlow's SAME.

    Attributes:
        same: Whether it does; `padding` is then 0, as the input is padded before.
    """

    same = False

    def forward(self, x: Tensor) -> Tensor:
        """Pool [B, C, H, W]."""
        if self.same:
            kernel, stride = nn.modules.utils._pair(self.kernel_size), nn.modules.utils._pair(self.stride)
            x = pad_same(x, kernel, stride, value=float("-inf"))
        pooled: Tensor = super().forward(x)
        return pooled


def pad_same(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...], value: float = 0.0) -> Tensor:
    """Pad [B, C, H, W] so that a convolution without padding gives ceil(H / stride), as TensorFlow's SAME does.

    It pads what the last kernel lacks, the odd pixel at the bottom and right. Torch's symmetric padding of a 3x3 at
    stride 2 is the same at odd sizes, and starts one pixel earlier at even ones.
    """
    sides: list[int] = []
    for size, k, s in zip(reversed(x.shape[-2:]), reversed(kernel), reversed(stride), strict=True):
        missing = k - 1 - (size - 1) % s
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)


def apply_padding(backbone: nn.Module, padding: Padding) -> None:
    """Make everything in `backbone` that strides pad as `padding` says.

    Raises:
        ValueError: If it strides in a layer of another library, which pads as it likes.
    """
    if padding == "symmetric":
        return
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d) and _strides(module):
            if not isinstance(module, Conv2d | MaxPool2d):
                raise ValueError(f"`padding` same is for backbones of atrous, but {name} comes from another library")
            module.same = True
            module.padding = (0, 0) if isinstance(module, Conv2d) else 0


def _strides(module: nn.Conv2d | nn.MaxPool2d) -> bool:
    stride = module.stride
    return max(stride if isinstance(stride, tuple) else (stride,)) > 1
