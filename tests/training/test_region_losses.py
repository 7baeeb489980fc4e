from itertools import pairwise

import numpy as np
import pytest
import segmentation_models_pytorch.losses as smp
import torch
from torch import Tensor

from atrous.training.region_losses import count_pictures, dice_sum, lovasz_sum


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(3, 4, 7, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mask() -> Tensor:
    """The first picture shows all four classes, the second one only two, the third none."""
    random = torch.Generator().manual_seed(1)
    mask = torch.randint(0, 4, (3, 7, 9), generator=random, dtype=torch.uint8)
    mask[1] %= 2
    mask[torch.rand(mask.shape, generator=random) < 0.2] = 255
    mask[2] = 255
    return mask


def shown(mask: Tensor) -> list[int]:
    return sorted(set(mask.flatten().tolist()) - {255})


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_dice_of_each_picture_is_that_of_smp_over_the_classes_that_it_shows(
    smooth: float, logits: Tensor, mask: Tensor
) -> None:
    theirs = smp.DiceLoss("multiclass", smooth=smooth / 2, ignore_index=255)  # it halves numerator and denominator
    expected = 0.0
    for x, y in zip(logits[:2], mask[:2], strict=True):
        expected += float(theirs(x[None], y[None].long())) * 4 / len(shown(y))  # its mean is over all classes
    assert float(dice_sum(logits, mask, 255, smooth)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_the_sum_over_the_pixels_of_a_picture(logits: Tensor, mask: Tensor) -> None:
    expected = 0.0
    for x, y in zip(logits[:2].double().softmax(dim=1).numpy(), mask[:2].numpy(), strict=True):
        scores = []
        for k in np.unique(y[y != 255]):
            p, t = x[k][y != 255], (y == k)[y != 255]
            scores.append(2 * (p * t).sum() / (p.sum() + t.sum()))
        expected += 1 - float(np.mean(scores))
    assert float(dice_sum(logits, mask, 255)) == pytest.approx(expected, rel=1e-5)


def test_lovasz_of_each_picture_is_that_of_smp(logits: Tensor, mask: Tensor) -> None:
    theirs = smp.LovaszLoss("multiclass", per_image=True, ignore_index=255)
    expected = sum(float(theirs(x[None], y[None].long())) for x, y in zip(logits[:2], mask[:2], strict=True))
    assert float(lovasz_sum(logits, mask, 255)) == pytest.approx(expected, rel=1e-5)


def test_lovasz_is_the_mean_of_one_minus_iou_over_all_thresholds_of_the_errors(logits: Tensor, mask: Tensor) -> None:
    """Its definition: the set function, integrated over the sets of pixels whose error reaches a threshold."""
    x, y = logits[0].double().softmax(dim=0).numpy(), mask[0].numpy()
    losses = []
    for k in np.unique(y[y != 255]):
        truth = (y == k)[y != 255]
        errors = np.abs(truth - x[k][y != 255])
        levels = np.unique(np.append(errors, 0.0))
        total = 0.0
        for low, high in pairwise(levels):
            wrong = errors >= high
            predicted = truth ^ wrong
            total += (high - low) * (1 - (truth & predicted).sum() / (truth | predicted).sum())
        losses.append(total)
    assert float(lovasz_sum(logits[:1], mask[:1], 255)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("loss", [dice_sum, lovasz_sum])
def test_a_perfect_answer_has_no_loss_and_a_wholly_wrong_one_has_all(loss: object, mask: Tensor) -> None:
    truth = torch.where(mask == 255, 0, mask).long()
    right = 200.0 * torch.nn.functional.one_hot(truth, 4).permute(0, 3, 1, 2)
    assert float(loss(right, mask, 255)) == pytest.approx(0, abs=1e-6)  # type: ignore[operator]
    assert float(loss(right.roll(1, dims=1), mask, 255)) > 1  # type: ignore[operator]


@pytest.mark.parametrize("loss", [dice_sum, lovasz_sum])
def test_gradients_are_finite_and_zero_where_nothing_is_labelled(loss: object, logits: Tensor, mask: Tensor) -> None:
    x = (100 * logits).requires_grad_()
    loss(x, mask, 255).backward()  # type: ignore[operator]
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert not x.grad[2].any()
    assert not x.grad.permute(0, 2, 3, 1)[mask == 255].any()


def test_pictures_that_show_a_class_are_counted(mask: Tensor) -> None:
    assert count_pictures(mask, 255) == 2
    assert count_pictures(mask[2:], 255) == 0
