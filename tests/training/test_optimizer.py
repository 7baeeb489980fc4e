import math

import pytest
import torch
from torch import Tensor, nn

from atrous.networks import SegmentationNetwork, build_network
from atrous.training.optimizer import (
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    build_optimizer,
    describe_optimizer,
    set_learning_rate,
)
from tests.small import SMALL_NETWORKS

EVERY: list[OptimizerConfig] = [
    SGDConfig(learning_rate=0.1, weight_decay=0.5),
    AdamConfig(weight_decay=0.5),
    AdamWConfig(weight_decay=0.5),
]


class OneWeight(nn.Module):
    """A weight that decays and a bias that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0]]))
        self.bias = nn.Parameter(torch.tensor([2.0]))

    def take_steps(self, optimizer: torch.optim.Optimizer, gradients: list[float]) -> tuple[float, float]:
        for gradient in gradients:
            for parameter in self.parameters():
                parameter.grad = torch.full_like(parameter, gradient)
            optimizer.step()
        return self.weight.item(), self.bias.item()


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.kind)
def test_every_parameter_is_in_exactly_one_group(config: OptimizerConfig) -> None:
    network = build_network(SMALL_NETWORKS[0], 3)
    grouped = [id(p) for group in build_optimizer(config, network).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.kind)
def test_norms_and_biases_do_not_decay_and_convolutions_do(config: OptimizerConfig) -> None:
    network = build_network(SMALL_NETWORKS[0], 3)
    optimizer = build_optimizer(config, network)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_kernel = isinstance(module, nn.Conv2d) and name == "weight"
            assert decay[id(parameter)] == (0.5 if is_kernel else 0.0)


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.kind)
def test_weight_decay_really_shrinks_a_weight_without_gradient(config: OptimizerConfig) -> None:
    module = OneWeight()
    weight, bias = module.take_steps(build_optimizer(config, module), [0.0])
    assert weight == pytest.approx(2.0 * (1 - config.learning_rate * 0.5))
    assert bias == 2.0


def test_sgd_steps_equal_a_hand_computation() -> None:
    module, rate, momentum, decay = OneWeight(), 0.1, 0.9, 0.01
    optimizer = build_optimizer(SGDConfig(learning_rate=rate, momentum=momentum, weight_decay=decay), module)
    weight = bias = 2.0
    weight_speed = bias_speed = 0.0
    for gradient in (1.0, -0.5, 0.25):
        weight_speed = momentum * weight_speed + gradient + decay * weight
        bias_speed = momentum * bias_speed + gradient
        weight, bias = weight - rate * weight_speed, bias - rate * bias_speed
    assert module.take_steps(optimizer, [1.0, -0.5, 0.25]) == pytest.approx((weight, bias), rel=1e-6)


def test_adamw_steps_equal_a_hand_computation() -> None:
    module, rate, decay, first, second = OneWeight(), 0.01, 0.1, 0.9, 0.99
    optimizer = build_optimizer(AdamWConfig(learning_rate=rate, weight_decay=decay, betas=(first, second)), module)
    weight, bias, mean, square = 2.0, 2.0, 0.0, 0.0
    for step, gradient in enumerate((1.0, -0.5, 0.25), start=1):
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        move = rate * (mean / (1 - first**step)) / (math.sqrt(square / (1 - second**step)) + 1e-8)
        weight, bias = weight * (1 - rate * decay) - move, bias - move
    assert module.take_steps(optimizer, [1.0, -0.5, 0.25]) == pytest.approx((weight, bias), rel=1e-6)


def test_adam_steps_equal_a_hand_computation_in_which_the_decay_is_part_of_the_gradient() -> None:
    module, rate, decay, first, second = OneWeight(), 0.01, 0.1, 0.9, 0.99
    optimizer = build_optimizer(AdamConfig(learning_rate=rate, weight_decay=decay, betas=(first, second)), module)
    weight, mean, square = 2.0, 0.0, 0.0
    for step, given in enumerate((1.0, -0.5, 0.25), start=1):
        gradient = given + decay * weight
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        weight -= rate * (mean / (1 - first**step)) / (math.sqrt(square / (1 - second**step)) + 1e-8)
    assert module.take_steps(optimizer, [1.0, -0.5, 0.25])[0] == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("config", EVERY, ids=lambda config: config.kind)
def test_weight_decay_reaches_the_weights_though_the_loss_is_flat(config: OptimizerConfig) -> None:
    weight, bias = (module := OneWeight()).take_steps(build_optimizer(config, module), [0.0])
    assert weight < 2.0
    assert bias == 2.0


def test_nesterov_looks_one_step_ahead_where_asked() -> None:
    module = OneWeight()
    optimizer = build_optimizer(SGDConfig(learning_rate=0.1, nesterov=True, weight_decay=0), module)
    weight, _ = module.take_steps(optimizer, [1.0])
    assert weight == pytest.approx(2.0 - 0.1 * (1.0 + 0.9 * 1.0))


def test_a_frozen_parameter_is_left_out() -> None:
    module = OneWeight()
    module.bias.requires_grad = False
    grouped: list[Tensor] = [p for g in build_optimizer(SGDConfig(), module).param_groups for p in g["params"]]
    assert len(grouped) == 1
    assert grouped[0] is module.weight


def test_the_rate_of_every_group_is_its_base_times_the_factor_however_often_it_is_set() -> None:
    optimizer = build_optimizer(SGDConfig(learning_rate=0.2), OneWeight())
    for factor in (1.0, 0.5, 0.25):
        assert set_learning_rate(optimizer, factor) == pytest.approx(0.2 * factor)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2 * factor] * 2)


def test_the_description_is_read_from_the_live_object_and_not_from_the_config() -> None:
    optimizer = build_optimizer(SGDConfig(learning_rate=0.2, weight_decay=0.01), OneWeight())
    said = "SGD, parameters at learning rate 0.2: 1 with weight decay 0.01, 1 without"
    assert describe_optimizer(optimizer) == said
    optimizer.param_groups[0]["weight_decay"] = 0.0
    optimizer.param_groups[1]["weight_decay"] = 7.0
    assert describe_optimizer(optimizer).endswith("1 without, 1 with weight decay 7")


@pytest.mark.parametrize("kind", [SGDConfig, AdamConfig, AdamWConfig])
def test_the_head_learns_at_its_own_rate_and_its_biases_at_another(
    kind: type[SGDConfig] | type[AdamConfig] | type[AdamWConfig],
) -> None:
    config = kind(learning_rate=0.1, weight_decay=0.5, head_multiplier=10, bias_multiplier=2)
    network = build_network(SMALL_NETWORKS[0], 3)
    groups = build_optimizer(config, network).param_groups
    found = {p: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    convolutions = {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    for name, parameter in network.named_parameters():
        place, _, role = name.rpartition(".")
        factor = 1.0 if name.startswith("backbone.") else 20.0 if role == "bias" and place in convolutions else 10.0
        assert found[parameter] == (pytest.approx(0.1 * factor), 0.5 if parameter.ndim > 1 else 0.0), name
    assert len(found) == len(list(network.parameters()))


def test_the_description_names_every_learning_rate() -> None:
    network = build_network(SMALL_NETWORKS[0], 3)
    said = describe_optimizer(build_optimizer(SGDConfig(learning_rate=0.1, head_multiplier=10), network))
    assert "learning rate 0.1: " in said
    assert "learning rate 1: " in said


@pytest.mark.parametrize("kind", [SGDConfig, AdamConfig, AdamWConfig])
def test_multipliers_step_as_two_optimizers_made_by_hand(
    kind: type[SGDConfig] | type[AdamConfig] | type[AdamWConfig],
) -> None:
    config = kind(learning_rate=0.01, weight_decay=0.1, head_multiplier=10)
    ours, theirs = (seeded_network() for _ in range(2))
    backbone = {id(parameter) for parameter in theirs.backbone.parameters()}
    head = [parameter for parameter in theirs.parameters() if id(parameter) not in backbone]
    by_hand = [made_by_hand(config, list(theirs.backbone.parameters()), 1), made_by_hand(config, head, 10)]
    built = build_optimizer(config, ours)
    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine.grad = torch.randn(mine.shape, generator=random)
            other.grad = mine.grad.clone()
        for optimizer in (built, *by_hand):
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def seeded_network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(SMALL_NETWORKS[0], 3)


def made_by_hand(config: OptimizerConfig, parameters: list[nn.Parameter], factor: float) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    if isinstance(config, SGDConfig):
        return torch.optim.SGD(groups, lr=factor * config.learning_rate, momentum=config.momentum)
    if isinstance(config, AdamConfig):
        return torch.optim.Adam(groups, lr=factor * config.learning_rate, betas=config.betas)
    return torch.optim.AdamW(groups, lr=factor * config.learning_rate, betas=config.betas)
