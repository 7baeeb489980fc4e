"""Keeping to the time, on a clock that the tests move."""

from pathlib import Path

import numpy as np
import pytest

from atrous.progress import Task
from atrous.training.pace import Pace, steps_that_fit
from atrous.training.recipe import read_recipe
from atrous.training.run import Run, begin
from atrous.training.state import RunState
from atrous.training.train import train
from tests.training.runs import small_recipe
from tests.training.test_resume import SignalAfter


class StoppedClock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """A task that remembers what it was told to expect."""

    total = 0

    def advance(self, note: str = "") -> None:
        pass

    def expect(self, total: int) -> None:
        self.total = total


def walk(
    clock: StoppedClock, pace: Pace, tmp_path: Path, each: list[float], steps: int = 100
) -> tuple[RunState, Counted]:
    """Make updates that take so many seconds, until they or the run end."""
    recipe = small_recipe(training={"steps": steps, "validate_every": 1000})
    run = begin(recipe, tmp_path / "run", resume=False, overwrite=False, progress=SignalAfter(-1))
    task = Counted()
    for seconds in each:
        pace.keep(run, task)
        if run.complete:
            break
        clock.now += seconds
        run.state.step += 1
    pace.keep(run, task)
    return run.state, task


def test_a_machine_as_fast_as_measured_keeps_its_plan(tmp_path: Path) -> None:
    clock = StoppedClock()
    state, _ = walk(clock, Pace(115, validation_seconds=10, finishing_seconds=5, clock=clock), tmp_path, 200 * [1.0])
    assert state.steps in (None, 100)
    assert state.step == 100


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_a_machine_of_another_speed_gets_as_many_updates_as_fit(seconds: float, tmp_path: Path) -> None:
    clock = StoppedClock()
    state, task = walk(
        clock, Pace(115, validation_seconds=10, finishing_seconds=5, clock=clock), tmp_path, 300 * [seconds]
    )
    assert state.step == pytest.approx(100 / seconds, abs=1)
    assert clock.now <= 100
    assert task.total == state.step


def test_a_machine_that_becomes_slower_in_the_middle_still_ends_in_time(tmp_path: Path) -> None:
    clock = StoppedClock()
    state, _ = walk(
        clock, Pace(115, validation_seconds=10, finishing_seconds=5, clock=clock), tmp_path, 50 * [1.0] + 50 * [3.0]
    )
    assert 97 <= clock.now <= 103  # one update may be under way
    assert state.step < 75


def test_a_deadline_that_has_passed_ends_the_run_at_once(tmp_path: Path) -> None:
    clock = StoppedClock()
    state, _ = walk(clock, Pace(8, validation_seconds=10, finishing_seconds=5, clock=clock), tmp_path, 100 * [1.0])
    assert state.step == state.steps == 5  # the first of which anything is known


def test_a_run_whose_steps_the_clock_has_changed_resumes_to_them_without_the_clock(tmp_path: Path) -> None:
    class Three(Pace):
        def keep(self, run: Run, task: Task) -> None:  # noqa: ARG002
            run.state.steps = 6

    recipe = small_recipe(training={"steps": 8})
    train(recipe, tmp_path, progress=SignalAfter(5), pace=Three(0, 0, 0))
    result = train(read_recipe(tmp_path / "recipe.yaml"), tmp_path, resume=True)
    assert (result.finished, result.steps, result.state.step) == (True, 6, 6)


@pytest.mark.parametrize("seed", range(20))
def test_the_steps_that_fit_are_those_that_counting_finds(seed: int) -> None:
    chance = np.random.default_rng(seed)
    step, every = int(chance.integers(0, 300)), int(chance.integers(1, 60))
    left, each, validation = chance.uniform(0, 300), chance.uniform(0.2, 5), chance.uniform(0, 60)

    def seconds(last: int) -> float:
        validations = sum(1 for k in range(step + 1, last + 1) if k % every == 0 or k == last)
        return (last - step) * each + validations * validation

    counted = max((last for last in range(step, step + 2000) if seconds(last) <= left), default=step)
    assert steps_that_fit(step, every, left, each, validation) == max(1, counted)


def test_a_little_more_time_never_means_many_more_updates() -> None:
    planned = [steps_that_fit(28, 23, left, each=1.3, validation=36.0) for left in np.arange(20.0, 400.0, 0.5)]
    assert planned == sorted(planned)
    assert max(np.diff(planned)) <= 1
