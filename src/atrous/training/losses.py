"""The loss: cross-entropy over the pixels that have a class."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from atrous.networks import WeightedLogits


def loss_sum(outputs: Sequence[WeightedLogits], mask: Tensor, ignore_index: int) -> Tensor:
    """Sum the weighted losses of all answers of a network: of itself, its scales, its auxiliary head.

    Logits of another size than the mask meet the mask sampled to theirs, each for the pixels that it stands for. So
    divided by `count_pixels` of the whole mask it is a mean, at whatever size the logits are.

    Args:
        outputs: What `training_logits` returned.
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.

    Returns:
        float32 scalar.
    """
    total = torch.zeros((), device=mask.device)
    for logits, weight in outputs:
        size = logits.shape[-2:]
        sampled = mask
        if size != mask.shape[-2:]:
            # The nearest pixel to the middle of the area that a logit covers when it is resized to the image.
            sampled = F.interpolate(mask[:, None].float(), size=size, mode="nearest-exact")[:, 0]
        pixels_per_logit = mask[0].numel() / sampled[0].numel()
        total = total + weight * pixels_per_logit * cross_entropy_sum(logits, sampled, ignore_index)
    return total


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
