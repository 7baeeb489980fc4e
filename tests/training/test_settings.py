"""What is said about a training comes from what is alive in it: change that, and what is said changes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from atrous.data.loading import Batch
from atrous.networks.layers import BatchNorm, freeze
from atrous.progress import Silent
from atrous.training.losses import CrossEntropyConfig, build_loss
from atrous.training.recipe import Recipe
from atrous.training.run import Run, begin
from atrous.training.schedule import PolyConfig
from atrous.training.step import update
from atrous.training.train import train
from atrous.weights.checkpoint import read_info
from tests.training.runs import small_recipe

SGD = {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.8, "weight_decay": 0.01, "head_multiplier": 10}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    recipe = small_recipe(optimizer=SGD, schedule={"kind": "poly", "power": 1.0}, training={"steps": 10})
    return begun(recipe, tmp_path)


def begun(recipe: Recipe, folder: Path) -> Run:
    run = begin(recipe, folder, resume=False, overwrite=True, progress=Silent())
    run.folder.close()
    return run


def test_rates_are_those_that_the_steps_will_set(run: Run) -> None:
    rates = run.settings.learning_rates
    assert rates[""] == pytest.approx([0.2, 0.1, 0.02])
    assert rates[" x 10"] == pytest.approx([2, 1, 0.2])
    assert [group["lr"] for group in run.learner.optimizer.param_groups] == pytest.approx([0.2, 2, 0.2, 2])


def test_every_parameter_is_counted_once(run: Run) -> None:
    weights = [weight.numel() for weight in run.learner.network.parameters()]
    assert sum(group.parameters for group in run.settings.groups) == sum(weights)
    assert sum(group.tensors for group in run.settings.groups) == len(weights) == run.settings.weights["float32"]
    assert run.settings.fixed_parameters == 0


def of_groups(key: str, value: Any) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        for group in run.learner.optimizer.param_groups:
            group[key] = value

    return change


def of_norms(key: str, value: Any) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        for module in run.learner.network.modules():
            if isinstance(module, BatchNorm):
                setattr(module, key, value)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_groups("momentum", 0.3), "momentum 0.3"),
        (of_groups("nesterov", True), "nesterov on"),
        (of_groups("weight_decay", 0.5), "with weight decay 0.5"),
        (of_groups("weight_decay", 0.0), "175 tensors without weight decay"),
        (of_groups("base_learning_rate", 3.0), "Learning rate: 3 at first, 1.5 in the middle, 0.3 at last"),
        (of_norms("frozen", True), "0 learn their statistics"),
        (of_norms("eps", 0.125), "epsilon 0.125"),
        (of_norms("momentum", 0.25), "momentum 0.25"),
        (lambda run: freeze(run.learner.network.backbone), "parameters stay as they are"),
        (lambda run: run.learner.network.eval(), "0 learn their statistics"),
    ],
)
def test_what_is_said_changes_with_the_live_object_and_not_with_the_recipe(
    change: Callable[[Run], None], said: str, run: Run
) -> None:
    before = run.settings.lines()
    change(run)
    after = run.settings.lines()
    if "tensors without" in said:
        said = f"{len(list(run.learner.network.parameters()))} tensors without weight decay"
    assert said not in "\n".join(before)
    assert said in "\n".join(after)


def test_memory_format_and_dtype_are_those_of_the_weights(run: Run) -> None:
    network = run.learner.network
    assert run.settings.memory_format == "channels last"
    network.to(memory_format=torch.contiguous_format)
    assert run.settings.memory_format == "channels first"
    network.double()
    assert run.settings.weights == {"float64": len(list(network.parameters()))}
    assert replace(run, arithmetic=run.arithmetic._replace(precision="bfloat16")).settings.arithmetic == "bfloat16"


def test_settings_are_said_written_and_kept_in_every_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from atrous.progress import Lines

    folder = train(small_recipe(optimizer=SGD, training={"steps": 2}), tmp_path, progress=Lines()).folder
    out = capsys.readouterr().out
    assert "SGD (momentum 0.8): " in out
    assert "2 steps of 2 crops of 32x32: 0.8 epochs" in out
    assert "learn their statistics, 0 keep them; momentum " in out
    written = json.loads(folder.settings.read_text())
    for path in (folder.last, folder.best):
        kept = read_info(path).provenance["settings"]
        assert {**kept, "device": ""} == {**written, "device": ""}
    assert written["groups"][0]["others"]["momentum"] == 0.8


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_the_decay_that_is_said_reaches_the_update_of_exactly_those_tensors(kind: str, tmp_path: Path) -> None:
    weights = {}
    for decay in (0.0, 0.1):
        optimizer = {"kind": kind, "learning_rate": 0.01, "weight_decay": decay}
        run = begun(small_recipe(optimizer=optimizer), tmp_path / str(decay))
        before = {name: weight.detach().clone() for name, weight in run.learner.network.named_parameters()}
        mask = torch.randint(0, 3, (2, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
        batch = Batch(torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).remainder(256).byte(), mask)
        torch.manual_seed(0)
        update(run.learner, [batch], build_loss(CrossEntropyConfig(), run.train_split.labels), run.arithmetic)
        weights[decay] = {name: weight.detach() for name, weight in run.learner.network.named_parameters()}
    decayed = sum(group.tensors for group in run.settings.groups if group.weight_decay == 0.1)
    moved = 0
    for name, start in before.items():
        difference = weights[0.1][name] - weights[0.0][name]
        expected = -0.01 * 0.1 * start if start.ndim > 1 else torch.zeros_like(start)
        assert torch.allclose(difference, expected, rtol=1e-4, atol=1e-6)  # rounding of weights around 1
        moved += bool(start.ndim > 1)
    assert decayed == moved > 10


def test_a_schedule_in_steps_is_read_as_the_steps_read_it(run: Run) -> None:
    recipe = run.recipe.model_copy(update={"schedule": PolyConfig(power=1.0, every=4)})
    assert replace(run, recipe=recipe).settings.learning_rates[""] == pytest.approx([0.2, 0.12, 0.04])
