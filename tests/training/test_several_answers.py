"""The loss of a network that gives several answers: of its scales, and of an auxiliary head."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig, WeightedLogits, build_network
from atrous.training.losses import CrossEntropyConfig, build_loss, loss_sum
from atrous.training.pixel_losses import cross_entropy_sum
from tests.small import SMALL_NETWORKS

IGNORED = 255
(CROSS_ENTROPY,) = build_loss(CrossEntropyConfig(), LabelSpace.from_names("abcde")).terms


@pytest.fixture
def mask() -> Tensor:
    random = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 5, (2, 12, 16), generator=random, dtype=torch.uint8)
    mask[0, :3] = IGNORED
    return mask


def logits(*size: int) -> Tensor:
    return torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(1))


def test_one_answer_at_the_size_of_the_mask_has_its_plain_loss(mask: Tensor) -> None:
    x = logits(12, 16)
    assert torch.equal(loss_sum(CROSS_ENTROPY, [WeightedLogits(x, 1.0)], mask), cross_entropy_sum(x, mask, IGNORED))


def test_answers_are_added_with_their_weights(mask: Tensor) -> None:
    x, y = logits(12, 16), 2 * logits(12, 16)
    both = loss_sum(CROSS_ENTROPY, [WeightedLogits(x, 1.0), WeightedLogits(y, 0.4)], mask)
    expected = cross_entropy_sum(x, mask, IGNORED) + 0.4 * cross_entropy_sum(y, mask, IGNORED)
    torch.testing.assert_close(both, expected)


def test_a_coarse_answer_meets_the_mask_at_the_middle_of_what_it_covers(mask: Tensor) -> None:
    x = logits(4, 4)
    middle = mask[:, 1::3, 2::4].long()
    expected = 12 * F.cross_entropy(x, middle, ignore_index=IGNORED, reduction="sum")
    torch.testing.assert_close(loss_sum(CROSS_ENTROPY, [WeightedLogits(x, 1.0)], mask), expected)


@pytest.mark.parametrize("config", SMALL_NETWORKS, ids=lambda config: config.kind)
def test_every_member_learns_from_all_that_it_answers(config: NetworkConfig, mask: Tensor) -> None:
    torch.manual_seed(0)
    network = build_network(config, 5)
    image = torch.rand(2, 3, 12, 16)
    loss_sum(CROSS_ENTROPY, network.training_logits(image), mask).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())
