import math

import pytest
import torch

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.training.schedule import (
    CosineConfig,
    PlateauConfig,
    PolyConfig,
    ScheduleConfig,
    StepConfig,
    learning_rate_factor,
)
from atrous.training.state import RunState


@pytest.mark.parametrize("step", [0, 1, 50, 99])
def test_poly_is_the_formula_of_the_paper(step: int) -> None:
    assert learning_rate_factor(PolyConfig(power=0.9), step, 100) == pytest.approx((1 - step / 100) ** 0.9)


def test_the_first_step_has_the_whole_rate_and_the_last_one_more_than_none() -> None:
    factors = [learning_rate_factor(PolyConfig(), step, 10) for step in range(10)]
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] > 0


def test_warm_up_rises_in_equal_parts_below_the_poly_curve() -> None:
    warm, cold = PolyConfig(warmup_steps=4), PolyConfig()
    ratios = [learning_rate_factor(warm, step, 20) / learning_rate_factor(cold, step, 20) for step in range(20)]
    assert ratios[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert ratios[6:] == pytest.approx([1.0] * 14)


def test_a_warm_up_longer_than_the_training_never_reaches_the_whole_rate() -> None:
    factors = [learning_rate_factor(PolyConfig(warmup_steps=100), step, 4) for step in range(4)]
    assert 0 < min(factors) <= max(factors) < 0.05


def test_poly_in_steps_of_ten_changes_every_ten_steps_only() -> None:
    stepwise = [learning_rate_factor(PolyConfig(every=10), step, 40) for step in range(40)]
    smooth = [learning_rate_factor(PolyConfig(), step, 40) for step in range(40)]
    assert stepwise == [smooth[step // 10 * 10] for step in range(40)]


def test_a_step_schedule_cuts_the_rate_every_so_many_steps() -> None:
    factors = [learning_rate_factor(StepConfig(every=3, factor=0.1), step, 100) for step in range(7)]
    assert factors == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def optimizer_of_one() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


@pytest.mark.parametrize("final", [0.0, 0.01])
def test_cosine_falls_as_that_of_torch(final: float) -> None:
    optimizer = optimizer_of_one()
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=final)
    for step in range(20):
        ours = learning_rate_factor(CosineConfig(final=final), step, 20)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6), step
        optimizer.step()
        theirs.step()


EVERY_SCHEDULE: list[ScheduleConfig] = [PolyConfig(), StepConfig(every=7), CosineConfig(), PlateauConfig()]


@pytest.mark.parametrize("cold", EVERY_SCHEDULE, ids=lambda config: config.kind)
def test_every_schedule_can_be_warmed_up(cold: ScheduleConfig) -> None:
    warm = cold.model_copy(update={"warmup_steps": 4})
    ratios = [learning_rate_factor(warm, step, 20) / learning_rate_factor(cold, step, 20) for step in range(8)]
    assert ratios == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_a_plateau_cuts_the_rate_when_that_of_torch_does(patience: int) -> None:
    config = PlateauConfig(patience=patience, factor=0.5)
    optimizer, state = optimizer_of_one(), RunState()
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.5, patience=patience, threshold=0, eps=0
    )
    scores = [0.1, 0.3, 0.2, 0.3, 0.3, 0.31, 0.2, 0.2, 0.2, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    for step, score in enumerate(scores, start=1):
        state.step = step
        state.judge(score)
        state.cut_after(patience)
        theirs.step(score)
        ours = learning_rate_factor(config, step, len(scores), state.cuts)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"]), step
    assert state.cuts > 0
    assert (state.best_score, state.best_step) == (0.4, 11)
    assert state.unimproved == len(scores) - 11


def test_cosine_is_half_way_down_in_the_middle() -> None:
    assert learning_rate_factor(CosineConfig(final=0.2), 50, 100) == pytest.approx(0.6)
    assert math.isclose(learning_rate_factor(CosineConfig(), 99, 100), 0.0002467, rel_tol=1e-3)


@pytest.mark.parametrize("content", [{"power": 0}, {"power": -1}, {"warmup_steps": -1}, {"kind": "cosine"}])
def test_an_impossible_schedule_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse(PolyConfig, content, "schedule")
