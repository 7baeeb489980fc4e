"""A run that was interrupted and resumed is the run that was not, bit for bit."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from atrous.errors import CheckpointError, ConfigError
from atrous.inference.predictor import load
from atrous.progress import Silent, Task
from atrous.training.logs import read_log
from atrous.training.recipe import Recipe
from atrous.training.run_folder import RunFolder
from atrous.training.train import TrainingResult, train
from atrous.weights.checkpoint import load_tensors, save_tensors
from tests.training.runs import assert_same_tensors, small_recipe

TIMES = ("seconds", "images_per_second", "data_wait", "memory_gigabytes")


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


class Killed(BaseException):
    """Stands for a process that ends at this very place."""


class SignalAfter(Silent):
    """Sends a signal once a task has made so many steps."""

    def __init__(self, steps: int, task: str = "Training", number: int = signal.SIGINT) -> None:
        self.steps, self.name, self.number = steps, task, number

    @contextmanager
    def task(self, description: str, total: int, done: int = 0) -> Iterator[Task]:  # noqa: ARG002
        outer, now = self, done

        class Counting:
            def advance(self, note: str = "") -> None:
                nonlocal now
                assert note or description != "Training"
                now += 1
                if now == outer.steps and description.startswith(outer.name):
                    os.kill(os.getpid(), outer.number)

            def expect(self, total: int) -> None:
                raise AssertionError(f"nobody asked for {total} steps")

        yield Counting()


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return load_tensors(RunFolder(folder).state, "state")[0]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in TIMES} for row in read_log(RunFolder(folder).jsonl)
    ]


def assert_same_run(ours: Path, theirs: Path) -> None:
    assert_same_tensors(tensors_of(ours), tensors_of(theirs))
    assert rows_of(ours) == rows_of(theirs)


def interrupted_at(steps: list[int], recipe: Recipe, folder: Path) -> TrainingResult:
    for number, step in enumerate(steps):
        result = train(recipe, folder, resume=number > 0, progress=SignalAfter(step))
        assert not result.finished
        assert result.state.step == step
        assert load(result.folder.last)
    return train(recipe, folder, resume=True)


@pytest.mark.parametrize(("kind", "workers"), [("adamw", 1), slow("sgd", 0), slow("adamw", 0), slow("sgd", 1)])
def test_interrupted_and_resumed_equals_uninterrupted_in_weights_optimizer_chance_and_log(
    kind: str, workers: int, tmp_path: Path
) -> None:
    # Five pictures in batches of two: steps 1 and 3 end within the first and the second epoch. Dropout is on.
    recipe = small_recipe(
        optimizer={"kind": kind, "learning_rate": 0.01},
        network={"dropout": 0.5},
        augmentation={"brightness": 0.3, "blur": 0.5},
        training={"workers": workers, "accumulation": 1 + workers},
    )
    assert train(recipe, tmp_path / "whole").finished
    resumed = interrupted_at([1, 4, 7], recipe, tmp_path / "parts")
    assert resumed.finished
    assert_same_tensors(tensors_of(tmp_path / "parts"), tensors_of(tmp_path / "whole"))
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")
    rows = [row for row in rows_of(tmp_path / "parts") if "warning" not in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    best = [(load(tmp_path / run / "best.safetensors").network.state_dict()) for run in ("parts", "whole")]
    assert_same_tensors(*best)


MULTIPLIED = {"kind": "sgd", "learning_rate": 0.001, "head_multiplier": 10, "bias_multiplier": 2}


def test_a_run_of_several_rates_in_steps_on_a_frozen_backbone_resumes_exactly(tmp_path: Path) -> None:
    recipe = small_recipe(
        optimizer=MULTIPLIED,
        schedule={"kind": "poly", "every": 3},
        training={"freeze_backbone": True},
    )
    assert train(recipe, tmp_path / "whole").finished
    assert interrupted_at([2, 4], recipe, tmp_path / "parts").finished
    assert_same_tensors(tensors_of(tmp_path / "parts"), tensors_of(tmp_path / "whole"))
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")


ALL_CHOICES: dict[str, Any] = {
    "loss": {
        "kind": "sum",
        "terms": [
            {"loss": {"kind": "focal", "class_weights": "balanced"}},
            {"weight": 0.5, "loss": {"kind": "lovasz"}},
            {"weight": 0.1, "loss": {"kind": "ohem", "probability": 0.7}},
        ],
    },
    "optimizer": {"kind": "sgd", "learning_rate": 0.01, "nesterov": True, "head_multiplier": 10},
    "schedule": {"kind": "plateau", "patience": 0, "factor": 0.5, "warmup_steps": 3},
    "network": {"dropout": 0.5},
    "training": {
        "steps": None,
        "epochs": 4,
        "fraction": 0.8,
        "accumulation": 2,
        "batch_size": 1,
        "validate_every": 1,
        "average_decay": 0.8,
        "precision": "float16",
        "best_by": "mean_dice",
        "keep_every": 3,
    },
}


def test_a_run_with_every_choice_at_once_resumes_exactly(tmp_path: Path) -> None:
    recipe = small_recipe(**ALL_CHOICES)
    whole = train(recipe, tmp_path / "whole")
    assert (whole.finished, whole.steps) == (True, 8)
    assert whole.state.cuts > 0
    parts = interrupted_at([1, 2, 5], recipe, tmp_path / "parts")
    assert parts.finished
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    for step in (3, 6):
        kept = [load(result.folder.kept(step)).network.state_dict() for result in (parts, whole)]
        assert_same_tensors(*kept)
    ours, theirs = (vars(result.state) for result in (parts, whole))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("optimizer.head_multiplier", {"optimizer": {**MULTIPLIED, "head_multiplier": 5}}),
        ("optimizer.bias_multiplier", {"optimizer": {**MULTIPLIED, "bias_multiplier": 1}}),
        ("schedule.every", {"schedule": {"kind": "poly", "every": 2}}),
        ("training.freeze_backbone", {"training": {"steps": 2, "freeze_backbone": True}}),
    ],
)
def test_a_run_is_not_continued_at_other_rates_or_with_another_part_frozen(
    key: str, change: dict[str, Any], tmp_path: Path
) -> None:
    recipe: dict[str, Any] = {"optimizer": MULTIPLIED, "training": {"steps": 2}}
    train(small_recipe(**recipe), tmp_path)
    with pytest.raises(ConfigError, match=f"{key} was"):
        train(small_recipe(**{**recipe, **change}), tmp_path, resume=True)


def test_chance_decides_nothing_but_by_the_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(seed + len(name))  # what was drawn before does not matter
        train(small_recipe(training={"seed": seed, "steps": 2}), tmp_path / name)
    assert_same_tensors(tensors_of(tmp_path / "a"), tensors_of(tmp_path / "b"))
    with pytest.raises(AssertionError):
        assert_same_tensors(tensors_of(tmp_path / "a"), tensors_of(tmp_path / "c"))


@pytest.mark.slow
def test_the_number_of_loader_processes_changes_no_bit(tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        recipe = small_recipe(network={"dropout": 0.5}, training={"workers": workers, "steps": 3})
        train(recipe, tmp_path / str(workers))
    assert_same_tensors(tensors_of(tmp_path / "1"), tensors_of(tmp_path / "0"))
    assert_same_tensors(tensors_of(tmp_path / "2"), tensors_of(tmp_path / "0"))


HOMES = {
    "tally": "validation",
    "keep_if_best": "train",
    "save_checkpoint": "run",
    "save_state": "run",
    "update": "train",
}


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("keep_if_best", 1),
        ("save_state", 2),
        *(slow(place, call) for place in ("tally", "save_checkpoint", "update") for call in (1, 2)),
        *(slow("keep_if_best", 2), slow("save_state", 1)),
    ],
)
def test_a_run_killed_anywhere_goes_on_from_its_last_save_and_ends_the_same(
    place: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(training={"steps": 4, "validate_every": 2})
    train(recipe, tmp_path / "whole")
    calls = 0
    module = f"atrous.training.{HOMES[place]}"
    original = getattr(import_module(module), place)

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        result = original(*arguments, **named)
        if calls == call + 2 * (place == "update"):
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{place}", killed)
        with pytest.raises(Killed):
            train(recipe, tmp_path / "run")
    saved = RunFolder(tmp_path / "run").state.exists()
    assert saved or place == "save_checkpoint"  # the very first file of a run
    train(recipe, tmp_path / "run", resume=saved, overwrite=not saved)
    assert_same_tensors(tensors_of(tmp_path / "run"), tensors_of(tmp_path / "whole"))
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")


def test_a_signal_breaks_off_a_validation_which_the_resumed_run_then_makes(tmp_path: Path) -> None:
    recipe = small_recipe()
    train(recipe, tmp_path / "whole")
    stopped = train(recipe, tmp_path / "run", progress=SignalAfter(1, "Evaluating"))
    assert (stopped.finished, stopped.state.step, stopped.state.validated) == (False, 4, -1)
    assert not stopped.folder.best.exists()
    assert train(recipe, tmp_path / "run", resume=True).finished
    assert rows_of(tmp_path / "run") == rows_of(tmp_path / "whole")


def test_a_run_stopped_between_its_last_step_and_its_validation_is_not_finished(tmp_path: Path) -> None:
    recipe = small_recipe()
    stopped = train(recipe, tmp_path, progress=SignalAfter(8))
    assert (stopped.finished, stopped.state.step) == (False, 8)
    resumed = train(recipe, tmp_path, resume=True)
    assert resumed.finished
    assert resumed.state.validated == 8


@pytest.mark.parametrize("number", [slow(signal.SIGINT), signal.SIGTERM])
def test_the_handlers_of_signals_are_those_of_before(number: int, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    assert train(small_recipe(), tmp_path, progress=SignalAfter(2, number=number)).state.step == 2
    assert signal.getsignal(number) is before


def damage_nothing_but_the_description(path: Path, text: str) -> None:
    tensors, _ = load_tensors(path, "state")
    save_tensors(path, tensors, text)


@pytest.mark.parametrize("damage", ["cut", "empty", "other format", "no table", "no JSON", "no chance", "no file"])
def test_a_damaged_state_is_one_sentence_that_names_it(damage: str, tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2})
    state = train(recipe, tmp_path / "run").folder.state
    match damage:
        case "cut":
            state.write_bytes(state.read_bytes()[:-100])
        case "empty":
            state.write_bytes(b"")
        case "other format":
            damage_nothing_but_the_description(state, '{"format": "atrous-state-0"}')
        case "no table":
            damage_nothing_but_the_description(state, "[]")
        case "no JSON":
            damage_nothing_but_the_description(state, "{")
        case "no chance":
            tensors, text = load_tensors(state, "state")
            save_tensors(state, {k: v for k, v in tensors.items() if not k.startswith("random")}, text)
        case _:
            state.unlink()
            state.mkdir()
    with pytest.raises(CheckpointError, match=r"state\.safetensors") as caught:
        train(recipe, tmp_path / "run", resume=True)
    assert "\n" not in str(caught.value)
    assert load(tmp_path / "run" / "best.safetensors")
