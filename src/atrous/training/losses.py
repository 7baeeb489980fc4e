"""The loss: cross-entropy over the pixels that have a class."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy_sum(logits: Tensor, mask: Tensor, ignore_index: int) -> Tensor:
    """Sum the cross-entropy over all pixels that are not ignored.

    Divided by `count_pixels` it is the mean; summed over several batches first, it is the mean over all of them.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.

    Returns:
        float32 scalar; zero, with zero gradients, where every pixel is ignored.
    """
    return F.cross_entropy(logits.float(), mask.long(), ignore_index=ignore_index, reduction="sum")


def count_pixels(mask: Tensor, ignore_index: int) -> int:
    """How many pixels of a mask are not ignored."""
    return int(torch.count_nonzero(mask != ignore_index))
