import math

import numpy as np
import pytest
import segmentation_models_pytorch.losses as smp
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from atrous.training.pixel_losses import (
    count_pixels,
    cross_entropy_sum,
    focal_sum,
    hard_pixels_sum,
    hardest,
    weigh_pixels,
)

CLASS_WEIGHTS = torch.tensor([0.5, 2.0, 0.0, 1.5])


def random_logits_and_mask(seed: int = 0, ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, 7, 9, generator=random)
    mask = torch.randint(0, 4, (2, 7, 9), generator=random, dtype=torch.uint8)
    mask[torch.rand(2, 7, 9, generator=random) < ignored] = 255
    return logits, mask


def test_the_sum_over_the_counted_pixels_is_the_mean_of_torch() -> None:
    logits, mask = random_logits_and_mask()
    ours = cross_entropy_sum(logits, mask, 255) / count_pixels(mask, 255)
    torch.testing.assert_close(ours, F.cross_entropy(logits, mask.long(), ignore_index=255))


def test_a_loss_is_the_sum_of_minus_log_probability_of_each_labelled_pixel() -> None:
    logits, mask = random_logits_and_mask()
    probabilities = logits.double().softmax(dim=1)
    expected = sum(
        -math.log(probabilities[b, int(mask[b, y, x]), y, x]) for b, y, x in np.argwhere(mask.numpy() != 255).tolist()
    )
    assert float(cross_entropy_sum(logits, mask, 255)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_labels_has_loss_zero_and_zero_gradients() -> None:
    logits = torch.randn(2, 3, 5, 5, requires_grad=True)
    mask = torch.full((2, 5, 5), 255, dtype=torch.uint8)
    loss = cross_entropy_sum(logits, mask, 255)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_mask_of_16_bits_counts_like_one_of_8() -> None:
    logits, mask = random_logits_and_mask()
    wide = torch.from_numpy(np.where(mask == 255, 65535, mask.int()).astype(np.uint16))
    assert count_pixels(wide, 65535) == count_pixels(mask, 255) < mask.numel()
    assert torch.equal(cross_entropy_sum(logits, wide, 65535), cross_entropy_sum(logits, mask, 255))


def test_logits_of_bfloat16_are_summed_in_float32() -> None:
    logits = torch.zeros(1, 2, 64, 64, dtype=torch.bfloat16)
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    loss = cross_entropy_sum(logits, mask, 255)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(4096 * np.log(2), rel=1e-6)  # bfloat16 would stop near 2048 * log 2


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
def test_weights_and_smoothing_over_the_weighed_pixels_are_the_mean_of_torch(
    weights: Tensor | None, label_smoothing: float
) -> None:
    logits, mask = random_logits_and_mask()
    ours = cross_entropy_sum(logits, mask, 255, weights, label_smoothing) / weigh_pixels(mask, 255, weights)
    theirs = F.cross_entropy(logits, mask.long(), weights, ignore_index=255, label_smoothing=label_smoothing)
    torch.testing.assert_close(ours, theirs)


def test_smoothed_labels_are_the_cross_entropy_to_a_truth_that_is_dealt_to_all_classes() -> None:
    logits, mask = random_logits_and_mask()
    labelled = (mask != 255).numpy()
    truth = np.eye(4)[np.where(labelled, mask.numpy(), 0)] * 0.8 + 0.2 / 4
    logs = logits.double().log_softmax(dim=1).permute(0, 2, 3, 1).numpy()
    expected = -(truth * logs).sum(axis=-1)[labelled].sum()
    assert float(cross_entropy_sum(logits, mask, 255, label_smoothing=0.2)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
def test_focal_loss_without_gamma_is_cross_entropy(weights: Tensor | None) -> None:
    logits, mask = random_logits_and_mask()
    torch.testing.assert_close(
        focal_sum(logits, mask, 255, 0.0, weights), cross_entropy_sum(logits, mask, 255, weights)
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_is_weighed_pixel_by_pixel(gamma: float) -> None:
    """And not once for the mean, as in a well-known repository."""
    logits, mask = random_logits_and_mask()
    probabilities = logits.double().softmax(dim=1)
    expected = 0.0
    for b, y, x in np.argwhere(mask.numpy() != 255).tolist():
        p = float(probabilities[b, int(mask[b, y, x]), y, x])
        expected -= float(CLASS_WEIGHTS[int(mask[b, y, x])]) * (1 - p) ** gamma * math.log(p)
    assert float(focal_sum(logits, mask, 255, gamma, CLASS_WEIGHTS)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_two_classes_is_that_of_torchvision_and_of_smp() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 7, 9, generator=random)
    mask = torch.randint(0, 2, (2, 7, 9), generator=random, dtype=torch.uint8)
    two = torch.stack([torch.zeros_like(x), x], dim=1)  # whose softmax is the sigmoid of x
    ours = focal_sum(two, mask, 255, 2.0)
    torch.testing.assert_close(ours, sigmoid_focal_loss(x, mask.float(), alpha=-1, gamma=2.0, reduction="sum"))
    torch.testing.assert_close(ours, smp.FocalLoss("binary", gamma=2.0, reduction="sum")(x[:, None], mask[:, None]))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_of_pixels_that_are_wholly_certain_has_finite_gradients(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0], [-200.0, 200.0, 0.0]])[None, :, None].requires_grad_()
    mask = torch.tensor([[[0, 0, 255]]], dtype=torch.uint8)
    focal_sum(logits, mask, 255, gamma).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[..., 2].any()


@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
def test_all_pixels_as_hard_ones_are_cross_entropy(weights: Tensor | None) -> None:
    logits, mask = random_logits_and_mask()
    torch.testing.assert_close(
        hard_pixels_sum(logits, mask, 255, 1.0, None, weights), cross_entropy_sum(logits, mask, 255, weights)
    )


def test_the_hard_pixels_of_a_picture_are_those_of_the_largest_loss() -> None:
    logits, mask = random_logits_and_mask()
    entropy = F.cross_entropy(logits, mask.long(), ignore_index=255, reduction="none").numpy()
    expected = 0.0
    for losses, labels in zip(entropy, mask.numpy(), strict=True):
        labelled = np.sort(losses[labels != 255])[::-1]
        expected += labelled[: round(0.25 * len(labelled))].mean() * len(labelled)
    assert float(hard_pixels_sum(logits, mask, 255, 0.25)) == pytest.approx(expected, rel=1e-5)


def test_pixels_below_a_probability_are_hard_however_few_are_asked_for() -> None:
    entropy = -torch.log(torch.tensor([0.9, 0.2, 0.69, 0.71, 0.05]))
    assert hardest(entropy, 0.2, 0.7).tolist() == [False, True, True, False, True]
    assert hardest(entropy, 0.8, 0.1).tolist() == [False, True, True, True, True]
    assert hardest(entropy[:0], 0.5, 0.7).tolist() == []


def test_pictures_without_labels_have_no_hard_pixels_and_zero_gradients() -> None:
    logits = torch.randn(2, 3, 5, 5, requires_grad=True)
    mask = torch.full((2, 5, 5), 255, dtype=torch.uint8)
    loss = hard_pixels_sum(logits, mask, 255, 0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
