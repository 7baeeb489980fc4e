"""Padding of what strides: alike on both sides, or as TensorFlow and Keras pad."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Padding = Literal["symmetric", "same", "same_stem", "same_stem_then_behind"]
Rule = Literal["symmetric", "same", "behind"]


class Conv2d(nn.Conv2d):
    """A convolution that can pad as TensorFlow does.

    Attributes:
        rule: How it pads; unless it is symmetric, `padding` is 0, as the input is padded before.
    """

    rule: Rule = "symmetric"

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        return super().forward(padded(x, self.rule, self.kernel_size, self.stride))


class MaxPool2d(nn.MaxPool2d):
    """A pool of maxima that can pad as TensorFlow does.

    Attributes:
        rule: How it pads; unless it is symmetric, `padding` is 0, as the input is padded before.
    """

    rule: Rule = "symmetric"

    def forward(self, x: Tensor) -> Tensor:
        """Pool [B, C, H, W]."""
        kernel, stride = nn.modules.utils._pair(self.kernel_size), nn.modules.utils._pair(self.stride)
        pooled: Tensor = super().forward(padded(x, self.rule, kernel, stride, value=float("-inf")))
        return pooled


def padded(x: Tensor, rule: Rule, kernel: tuple[int, ...], stride: tuple[int, ...], value: float = 0.0) -> Tensor:
    """Return [B, C, H, W] as `rule` pads it; what pads symmetrically does so by itself."""
    match rule:
        case "symmetric":
            return x
        case "same":
            return pad_same(x, kernel, stride, value)
        case "behind":
            return F.pad(x, (0, kernel[1] - stride[1], 0, kernel[0] - stride[0]), value=value)


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
    striding = [(name, module) for name, module in backbone.named_modules() if _strides(module)]
    for name, module in striding[:1] if padding == "same_stem" else striding:
        if not isinstance(module, Conv2d | MaxPool2d):
            raise ValueError(f"`padding` {padding} is for backbones of atrous, but {name} comes from another library")
        first = module is striding[0][1]
        module.rule = "behind" if padding == "same_stem_then_behind" and not first else "same"
        module.padding = (0, 0) if isinstance(module, Conv2d) else 0


def _strides(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d):
        return False
    stride = module.stride
    return max(stride if isinstance(stride, tuple) else (stride,)) > 1
