"""Losses of whole regions: Dice and Lovász-Softmax.

Both look at one picture at a time, and at the classes that it shows. So each is a sum over pictures, and batches that
are accumulated make the step of one large batch.
"""

import torch
from torch import Tensor


def dice_sum(logits: Tensor, mask: Tensor, ignore_index: int, smooth: float = 0.0) -> Tensor:
    """Sum over the pictures 1 - Dice, as the mean over the classes that the picture shows.

    Source: Milletari et al. 2016, arXiv:1606.04797, with probabilities in the denominator as they are, not squared.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.
        smooth: Added to numerator and denominator, in pixels: softens the loss of very small regions.

    Returns:
        float32 scalar; a picture without labels adds zero.
    """
    labelled = mask != ignore_index
    index = torch.where(labelled, mask.long(), 0)
    probabilities = logits.float().softmax(dim=1) * labelled[:, None]
    hit = probabilities.gather(1, index[:, None])[:, 0]
    nothing = probabilities.new_zeros(probabilities.shape[:2])
    intersection = nothing.scatter_add(1, index.flatten(1), hit.flatten(1))
    true = nothing.scatter_add(1, index.flatten(1), labelled.float().flatten(1))
    sizes = (probabilities.sum(dim=(2, 3)) + true + smooth).clamp(min=torch.finfo(true.dtype).tiny)
    shown = true > 0
    losses = (1 - (2 * intersection + smooth) / sizes) * shown
    return (losses.sum(dim=1) / shown.sum(dim=1).clamp(min=1)).sum()


def lovasz_sum(logits: Tensor, mask: Tensor, ignore_index: int) -> Tensor:
    """Sum over the pictures the Lovász-Softmax loss, as the mean over the classes that the picture shows.

    It extends 1 - IoU from masks to probabilities, convex in the errors of the pixels.

    Source: Berman et al. 2018, arXiv:1705.08790, equation 11.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.

    Returns:
        float32 scalar; a picture without labels adds zero.
    """
    probabilities = logits.float().softmax(dim=1)
    total = 0.0 * logits.float().sum()
    for picture, truth in zip(probabilities, mask.long(), strict=True):
        labelled = truth != ignore_index
        classes = truth[labelled].unique().tolist()
        planes = picture[:, labelled].unbind()  # at once: the gradient of one plane after the other fills all of them
        for k in classes:
            total = total + _lovasz(planes[k], truth[labelled] == k) / len(classes)
    return total


def _lovasz(probability: Tensor, truth: Tensor) -> Tensor:
    """The Lovász extension of 1 - IoU of one class, at the errors of its N pixels."""
    errors, order = (truth.float() - probability).abs().sort(descending=True)
    return errors @ _steps_of_one_minus_iou(truth[order])


def _steps_of_one_minus_iou(truth: Tensor) -> Tensor:
    """How much 1 - IoU grows as one pixel after the other is taken for wrong; float32 [N], from bool [N]."""
    wrong_inside, wrong_outside = truth.cumsum(0), (~truth).cumsum(0)
    inside = truth.sum()
    loss = 1 - (inside - wrong_inside) / (inside + wrong_outside)
    return torch.diff(loss, prepend=loss.new_zeros(1))


def count_pictures(mask: Tensor, ignore_index: int) -> int:
    """How many pictures of a batch have a pixel that is not ignored."""
    return int(torch.count_nonzero((mask != ignore_index).flatten(1).any(dim=1)))
