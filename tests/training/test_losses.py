"""Losses as a recipe chooses them, over answers, pictures and batches."""

from typing import Any

import pytest
import torch

from atrous.config import parse
from atrous.data.loading import Batch
from atrous.errors import ConfigError
from atrous.labels import LabelSpace
from atrous.networks import (
    BatchNormConfig,
    DeepLabV2Config,
    MobileNetV2Config,
    SegmentationNetwork,
    WeightedLogits,
    build_network,
)
from atrous.training.class_weights import ClassPixels
from atrous.training.losses import (
    CrossEntropyConfig,
    DiceConfig,
    FocalConfig,
    HardPixelsConfig,
    LossConfig,
    LovaszConfig,
    SumConfig,
    WeightedLossConfig,
    build_loss,
    describe_loss,
    needs_pixel_counts,
)
from atrous.training.state import Learner
from atrous.training.step import Arithmetic, update
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors, read_info
from tests.small import SMALL_NETWORKS
from tests.training.runs import small_recipe

ARITHMETIC = Arithmetic(torch.device("cpu"), "float32", torch.contiguous_format)
LABELS = LabelSpace.from_names(["ground", "box", "stripe", "rare"])
PIXELS = ClassPixels([1000, 100, 10, 0], [1110, 1110, 600, 0])
PLAIN = build_loss(CrossEntropyConfig(), LABELS)
SUM = SumConfig(
    terms=(
        WeightedLossConfig(loss=CrossEntropyConfig(class_weights={"box": 3.0})),
        WeightedLossConfig(weight=0.5, loss=DiceConfig()),
    )
)
EVERY_LOSS: list[LossConfig] = [
    CrossEntropyConfig(),
    CrossEntropyConfig(class_weights="enet", label_smoothing=0.1),
    FocalConfig(class_weights="balanced"),
    FocalConfig(class_weights="median_frequency"),
    HardPixelsConfig(class_weights="enet"),
    HardPixelsConfig(fraction=0.1, probability=0.7),
    DiceConfig(),
    LovaszConfig(),
    SUM,
]


def frozen_network() -> SegmentationNetwork:
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


@pytest.mark.parametrize("config", EVERY_LOSS, ids=lambda config: config.kind)
def test_accumulated_batches_equal_one_large_batch_in_loss_and_gradients(config: LossConfig) -> None:
    loss = build_loss(config, LABELS, pixels=PIXELS)
    batches = batches_with_unequal_ignored_pixels()
    large = Batch(torch.cat([batch.image for batch in batches]), torch.cat([batch.mask for batch in batches]))
    losses, gradients = [], []
    for given in (batches, [large]):
        network = frozen_network()
        still = torch.optim.SGD(network.parameters(), lr=0.0)
        losses.append(update(Learner(network, still), given, loss, ARITHMETIC))
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
        update(Learner(network, torch.optim.SGD(network.parameters(), lr=0.0)), batches, PLAIN, ARITHMETIC)
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    # Rounding decides here and there which scale is the largest, so that single values differ.
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-3


@pytest.mark.parametrize("config", EVERY_LOSS, ids=lambda config: config.kind)
def test_a_step_on_unlabelled_pictures_leaves_the_weights_alone(config: LossConfig) -> None:
    network = frozen_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    image, mask = batches_with_unequal_ignored_pixels()[2]
    plain = torch.optim.SGD(network.parameters(), lr=1.0)
    loss = build_loss(config, LABELS, pixels=PIXELS)
    assert update(Learner(network, plain), [Batch(image, mask)], loss, ARITHMETIC) == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def random_answer(num_classes: int = 4) -> tuple[WeightedLogits, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(2, num_classes, 8, 8, generator=random)
    return WeightedLogits(logits, 1.0), torch.randint(0, num_classes, (2, 8, 8), generator=random, dtype=torch.uint8)


def test_a_sum_is_the_sum_of_its_losses_by_their_weights() -> None:
    answer, mask = random_answer()
    values = []
    for config in (SUM, *(term.loss for term in SUM.terms)):
        loss = build_loss(config, LABELS)
        values.append(float(loss.of([answer], mask, loss.sizes([mask]))))
    assert values[0] == pytest.approx(values[1] + 0.5 * values[2], rel=1e-6)


@pytest.mark.parametrize("config", EVERY_LOSS, ids=lambda config: config.kind)
def test_a_coarse_answer_counts_as_much_as_one_of_the_size_of_the_mask(config: LossConfig) -> None:
    loss = build_loss(config, LABELS, pixels=PIXELS)
    (logits, _), mask = random_answer()
    enlarged = [tensor.repeat_interleave(3, -1).repeat_interleave(3, -2) for tensor in (logits, mask)]
    sizes = loss.sizes([enlarged[1]])
    coarse, fine = (loss.of([WeightedLogits(x, 1.0)], enlarged[1], sizes) for x in (logits, enlarged[0]))
    torch.testing.assert_close(coarse, fine)


def test_the_description_names_every_loss_and_the_weight_of_every_class() -> None:
    said = describe_loss(build_loss(SUM, LABELS), LABELS)
    assert said == "Loss: cross_entropy with class weights ground 1, box 3, stripe 1, rare 1 + 0.5 x dice"


def test_pixels_are_counted_only_for_weights_that_need_it() -> None:
    assert [needs_pixel_counts(config) for config in EVERY_LOSS] == [False, *[True] * 4, *[False] * 4]


def test_a_class_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no class `strip`; did you mean `stripe`"):
        build_loss(CrossEntropyConfig(class_weights={"strip": 2.0}), LABELS)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "focal", "gamma": -1},
        {"kind": "ohem", "fraction": 0},
        {"kind": "cross_entropy", "label_smoothing": 1},
        {"kind": "cross_entropy", "class_weights": "inverse"},
        {"kind": "cross_entropy", "class_weights": {"box": -1}},
        {"kind": "sum", "terms": []},
        {"kind": "sum", "terms": [{"loss": {"kind": "sum", "terms": []}}]},
        {"kind": "lovas"},
    ],
)
def test_an_impossible_loss_is_refused_in_one_sentence(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(LossConfig, content, "loss")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("loss", [{"kind": "ohem", "class_weights": "balanced"}, {"kind": "lovasz"}])
def test_a_training_learns_by_the_loss_of_its_recipe_and_keeps_what_it_counted(loss: Any, tmp_path: Any) -> None:
    result = train(small_recipe(loss=loss, training={"steps": 2}), tmp_path / "run")
    assert result.finished
    assert bool(result.state.class_pixels) == ("class_weights" in loss)
    said = read_info(result.folder.last).provenance["loss"]
    assert said.startswith(loss["kind"])
    assert ("class weights" in said) == ("class_weights" in loss)
    plain = train(small_recipe(training={"steps": 2}), tmp_path / "plain")
    ours, others = (load_tensors(run.folder.last, "checkpoint")[0] for run in (result, plain))
    assert any(not torch.equal(ours[name], others[name]) for name in ours)
