import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.data.loading import Batch
from atrous.networks import BatchNormConfig, DeepLabV2Config, MobileNetV2Config, build_network
from atrous.training.losses import count_pixels, cross_entropy_sum
from atrous.training.step import Arithmetic, update
from tests.small import SMALL_NETWORKS

ARITHMETIC = Arithmetic(torch.device("cpu"), "float32", torch.contiguous_format)


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


def frozen_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(SMALL_NETWORKS[0], 4).eval()  # batch norm and dropout must not depend on the batch


def batches_with_unequal_ignored_pixels() -> list[Batch]:
    random = torch.Generator().manual_seed(1)
    batches = []
    for ignored in (0.05, 0.95, 1.1):
        image = torch.randint(0, 256, (2, 3, 32, 32), generator=random, dtype=torch.uint8)
        mask = torch.randint(0, 4, (2, 32, 32), generator=random, dtype=torch.uint8)
        mask[torch.rand(mask.shape, generator=random) < ignored] = 255
        batches.append(Batch(image, mask))
    return batches


def test_accumulated_batches_equal_one_large_batch_in_loss_and_gradients() -> None:
    batches = batches_with_unequal_ignored_pixels()
    large = Batch(torch.cat([batch.image for batch in batches]), torch.cat([batch.mask for batch in batches]))
    losses, gradients = [], []
    for given in (batches, [large]):
        network = frozen_network()
        still = torch.optim.SGD(network.parameters(), lr=0.0)
        losses.append(update(network, still, given, 255, ARITHMETIC))  # type: ignore[arg-type]
        gradients.append([p.grad for p in network.parameters()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


def test_ten_pictures_one_by_one_make_the_step_of_a_batch_of_ten_for_a_network_of_three_scales() -> None:
    """As DeepLab v2 is trained: batches of 10 aggregated, the loss summed over the scales and their maximum."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10, 3, 33, 33), generator=random, dtype=torch.uint8)
    masks = torch.randint(0, 4, (10, 33, 33), generator=random, dtype=torch.uint8)
    config = DeepLabV2Config(
        backbone=MobileNetV2Config(width=0.25), rates=(2, 4), dropout=0, batch_norm=BatchNormConfig(frozen=True)
    )
    gradients = []
    for size in (1, 10):
        torch.manual_seed(0)
        network = build_network(config, 4).train()
        batches = [Batch(*pair) for pair in zip(torch.split(images, size), torch.split(masks, size), strict=True)]
        update(network, torch.optim.SGD(network.parameters(), lr=0.0), batches, 255, ARITHMETIC)
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    # Rounding decides here and there which scale is the largest, so that single values differ.
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-3


def test_a_step_on_unlabelled_pictures_leaves_the_weights_alone() -> None:
    network = frozen_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    image, mask = batches_with_unequal_ignored_pixels()[2]
    plain = torch.optim.SGD(network.parameters(), lr=1.0)
    assert update(network, plain, [Batch(image, mask)], 255, ARITHMETIC) == 0  # type: ignore[arg-type]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
