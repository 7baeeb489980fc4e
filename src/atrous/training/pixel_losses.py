"""Losses of single pixels: cross-entropy, focal loss, cross-entropy of the hard pixels.

Each is a sum. Divided by `weigh_pixels` of the masks it is the mean, over as many batches as were summed: so batches
that are accumulated make the step of one large batch, however many of their pixels are ignored.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_DOUBT = 1e-12  # 1 - probability; at zero itself, a power below one has no finite slope


def cross_entropy_sum(
    logits: Tensor,
    mask: Tensor,
    ignore_index: int,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Sum the cross-entropy over all pixels that are not ignored.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.
        class_weights: float [K]; multiplies the loss of each pixel by that of its true class.
        label_smoothing: The share of the truth that is dealt to all classes evenly (Szegedy et al. 2016,
            arXiv:1512.00567, section 7); 0..1.

    Returns:
        float32 scalar; zero, with zero gradients, where every pixel is ignored.
    """
    return F.cross_entropy(
        logits.float(),
        mask.long(),
        weight=class_weights,
        ignore_index=ignore_index,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def focal_sum(
    logits: Tensor, mask: Tensor, ignore_index: int, gamma: float, class_weights: Tensor | None = None
) -> Tensor:
    """Sum the cross-entropy of each pixel times (1 - p) ^ gamma, where p is the probability of its true class.

    Source: Lin et al. 2017, arXiv:1708.02002, equation 4, with the softmax over classes in place of the sigmoid.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.
        gamma: How little easy pixels count; 0 is cross-entropy.
        class_weights: float [K]; the paper's alpha.

    Returns:
        float32 scalar.
    """
    entropy = _cross_entropies(logits, mask, ignore_index)
    doubt = (-torch.expm1(-entropy)).clamp(min=SMALLEST_DOUBT)
    loss = doubt**gamma * entropy if gamma else entropy
    return (loss * weights_of_pixels(mask, ignore_index, class_weights)).sum()


def hard_pixels_sum(
    logits: Tensor,
    mask: Tensor,
    ignore_index: int,
    fraction: float,
    probability: float | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Sum over the pictures the mean cross-entropy of their hardest pixels, times their labelled pixels.

    Source: Shrivastava et al. 2016, arXiv:1604.03540, online hard example mining; of pixels: Wu et al. 2016,
    arXiv:1605.06885. Each picture chooses among its own pixels, so that a batch may be split.

    Args:
        logits: float [B, K, H, W].
        mask: Integers of any width [B, H, W].
        ignore_index: The value in the mask that counts nothing.
        fraction: The share of the labelled pixels of each picture that counts, at least one; 1 is cross-entropy.
        probability: Pixels whose true class is less probable than this count in any case.
        class_weights: float [K]; multiplies the loss of each pixel, and does not decide which are hard.

    Returns:
        float32 scalar.
    """
    entropies = _cross_entropies(logits, mask, ignore_index)
    weights = weights_of_pixels(mask, ignore_index, class_weights)
    total = torch.zeros((), device=logits.device)
    for entropy, weight, labelled in zip(entropies, weights, mask != ignore_index, strict=True):
        hard = hardest(entropy.detach()[labelled], fraction, probability)
        chosen, share = entropy[labelled][hard], weight[labelled][hard]
        mean = (chosen * share).sum() / share.sum().clamp(min=torch.finfo(share.dtype).tiny)
        total = total + mean * weight.sum()
    return total


def hardest(entropy: Tensor, fraction: float, probability: float | None) -> Tensor:
    """Which of the pixels of a picture count.

    Returns:
        bool [N]: the `fraction` with the largest loss, and all whose true class is less probable than `probability`.
    """
    if not entropy.numel():
        return torch.zeros_like(entropy, dtype=torch.bool)
    count = max(1, round(fraction * entropy.numel()))
    hard = torch.zeros_like(entropy, dtype=torch.bool)
    hard[entropy.topk(count).indices] = True
    return hard if probability is None else hard | (torch.exp(-entropy) < probability)


def weights_of_pixels(mask: Tensor, ignore_index: int, class_weights: Tensor | None = None) -> Tensor:
    """The weight of each pixel, float32 [B, H, W]: that of its class, and zero where it is ignored."""
    labelled = mask != ignore_index
    if class_weights is None:
        return labelled.float()
    return torch.where(labelled, class_weights[torch.where(labelled, mask.long(), 0)], 0.0)


def weigh_pixels(mask: Tensor, ignore_index: int, class_weights: Tensor | None = None) -> float:
    """The weights of all pixels together; without class weights, how many are not ignored."""
    if class_weights is None:
        return count_pixels(mask, ignore_index)
    return float(weights_of_pixels(mask, ignore_index, class_weights.to(mask.device)).double().sum())


def count_pixels(mask: Tensor, ignore_index: int) -> int:
    """How many pixels of a mask are not ignored."""
    return int(torch.count_nonzero(mask != ignore_index))


def _cross_entropies(logits: Tensor, mask: Tensor, ignore_index: int) -> Tensor:
    """The cross-entropy of each pixel, float32 [B, H, W]; zero where it is ignored."""
    return F.cross_entropy(logits.float(), mask.long(), ignore_index=ignore_index, reduction="none")
