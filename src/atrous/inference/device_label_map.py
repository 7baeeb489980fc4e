"""The mask where the logits lie, on a GPU: bands of rows are resized and decided, so that little memory is needed."""

import torch
from torch import Tensor

from atrous.inference.first_label_map import Side
from atrous.inference.label_map import neighbours
from atrous.networks.layers import ResizeMode

AT_ONCE = 2**24
"""Resized logits that are held at a time: 64 MiB."""


def device_label_map(logits: Tensor, size: tuple[int, int], resize: ResizeMode = "half_pixel") -> Tensor:
    """Resize logits bilinearly and take the class with the largest one, as `label_map` does on a CPU.

    Args:
        logits: float32 [K, h, w], on any device.
        size: (height, width) of the mask.
        resize: Where the pixels of both lie on each other.

    Returns:
        uint8 (int32 above 255 classes) [H, W] on the same device; equal to `resize_bilinear` and `argmax` but where two
        logits differ by no more than rounding.
    """
    rows, columns = (neighbours(length, count, resize) for length, count in zip(size, logits.shape[1:], strict=True))
    top, below, share_below = _corners(rows, logits)
    left, right, share_right = _corners(columns, logits)
    band = max(1, AT_ONCE // (len(logits) * size[1]))
    mask = torch.empty(size, dtype=torch.uint8 if len(logits) <= 255 else torch.int32, device=logits.device)
    for start in range(0, size[0], band):
        some = slice(start, start + band)
        upper, lower = (
            _blend(lines[..., left], lines[..., right], share_right)
            for lines in (logits[:, top[some]], logits[:, below[some]])
        )
        mask[some] = _blend(upper, lower, share_below[some, None]).argmax(dim=0)
    return mask


def in_memory_of_its_own(logits: Tensor) -> bool:
    """Whether a mask is better made where the logits lie than where numba can see them."""
    return logits.device.type != "cpu"


def _blend(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    return first * (1 - share) + second * share


def _corners(side: Side, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logits before and behind each pixel, and the share of the second."""
    first = torch.from_numpy(side.cell).to(logits.device)
    last = len(side.starts) - 2
    return first, (first + 1).clamp(max=last), torch.from_numpy(side.weight).to(logits.device)
