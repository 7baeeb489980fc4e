"""Processes that train together: what one of them is by itself, and what two and three do."""

import json
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from atrous.data import open_split
from atrous.data.loading import training_batches
from atrous.data.share import Share
from atrous.errors import AtrousError, ConfigError, ImageError, OutputError
from atrous.inference.predictor import load
from atrous.networks.layers import BatchNorm
from atrous.progress import Silent
from atrous.training.distributed import ALONE, joined
from atrous.training.recipe import Recipe
from atrous.training.run import begin
from atrous.training.run_folder import RunFolder
from atrous.training.step import update
from atrous.training.train import train
from tests.tiny_data import one_sentence
from tests.training.processes import in_processes
from tests.training.runs import assert_same_tensors, small_recipe, write_data
from tests.training.test_resume import SignalAfter, rows_of, tensors_of


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_every_picture_belongs_to_exactly_one_process(processes: int) -> None:
    shares = [Share(number, processes).of(5) for number in range(processes)]
    assert sorted(index for share in shares for index in share) == [0, 1, 2, 3, 4]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def batches_of(recipe: Recipe, share: Share, count: int, first: int = 0) -> list[Tensor]:
    batches = training_batches(
        open_split(recipe.data, "train"),
        recipe.augmentation,
        batch_size=recipe.training.batch_size,
        seed=recipe.training.seed,
        first_batch=first,
        share=share,
    )
    with closing(batches):
        return [batch.image for batch in islice(batches, count)]


def test_the_shares_of_a_batch_are_the_pictures_of_one_process_augmented_alike() -> None:
    recipe = small_recipe(training={"batch_size": 5}, augmentation={"brightness": 0.3, "blur": 0.5})
    whole = batches_of(recipe, Share(), 3, first=2)
    parts = [batches_of(recipe, Share(number, 3), 3, first=2) for number in range(3)]
    for step, batch in enumerate(whole):
        for number in range(3):
            assert torch.equal(parts[number][step], batch[number::3])


def test_one_process_alone_hears_only_itself() -> None:
    assert ALONE.sum([1.5, 2.0]) == [1.5, 2.0]
    assert ALONE.gather("a") == ["a"]
    assert ALONE.from_main(lambda: "made") == ALONE.main_first(lambda: "made") == "made"
    assert (ALONE.any(False), ALONE.any(True)) == (False, True)
    with pytest.raises(ImageError) as caught, ALONE.agreeing():
        raise ImageError("broken.")
    assert not caught.value.told


def test_a_group_of_one_that_exists_already_is_left_as_it_is(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        assert train(small_recipe(training={"steps": 1}), tmp_path / "run").finished
        assert dist.is_initialized()
    finally:
        dist.destroy_process_group()


def test_an_environment_that_names_no_number_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE is 'two'") as caught, joined():
        pass
    one_sentence(caught.value)


HOLDER = """
import sys, time
from pathlib import Path
from atrous.training.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
folder.lock.hold()
print("held", flush=True)
time.sleep(100)
"""


def test_a_folder_in_which_another_process_trains_is_refused_until_that_is_gone(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2})
    train(recipe, tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        choices: list[dict[str, Any]] = [{"resume": True}, {"overwrite": True}, {}]
        for choice in choices:
            with pytest.raises(OutputError, match=f"goes on at this moment .process {other.pid} on ") as caught:
                train(recipe, tmp_path, **choice)
            one_sentence(caught.value)
        other.kill()
    assert train(recipe, tmp_path, overwrite=True).finished


# From here on with several processes, which take their seconds to begin.

STEPS = 3
UNEVEN = {"batch_size": 5, "steps": STEPS, "validate_every": STEPS}  # 2 + 2 + 1 pictures for three processes


def data_with_unequal_ignored_pixels(place: Path) -> Path:
    return write_data(place, train=7, val=5, size=(64, 72))


def recipe_of(data: Path, **changes: Any) -> Recipe:
    """Without dropout, whose chance is each process's own, and at a rate that does not enlarge rounding."""
    training = {**UNEVEN, **changes.pop("training", {})}
    choices: dict[str, Any] = {
        "augmentation": {"crop": [64, 64], "brightness": 0.2},
        "optimizer": {"kind": "sgd", "learning_rate": 0.001},
        "network": {"dropout": 0.0},
    }
    return small_recipe(data, **{**choices, **changes}, training=training)


FROZEN: dict[str, Any] = {"dropout": 0.0, "batch_norm": {"frozen": True}}  # which sends no messages at every norm
EVERYTHING: dict[str, Any] = {
    "network": FROZEN,
    "loss": {
        "kind": "sum",
        "terms": [{"loss": {"kind": "cross_entropy", "class_weights": "enet"}}, {"loss": {"kind": "dice"}}],
    },
    "training": {"accumulation": 2, "average_decay": 0.5},
}


@pytest.mark.slow
def test_three_processes_with_uneven_shares_train_as_one(tmp_path: Path) -> None:
    recipe = recipe_of(data_with_unequal_ignored_pixels(tmp_path / "data"), **EVERYTHING)
    train(recipe, tmp_path / "one")
    in_processes(3, train, tmp_path / "meet", recipe, tmp_path / "several")
    theirs, ours = tensors_of(tmp_path / "one"), tensors_of(tmp_path / "several")
    for part in ("network.", "average.", "optimizer."):
        assert distance(ours, theirs, part) < 1e-4
    curves = [[row["loss"] for row in rows_of(tmp_path / run) if "loss" in row] for run in ("one", "several")]
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    assert len(curves[0]) == STEPS


@pytest.mark.long
def test_two_processes_train_as_one_in_bfloat16_up_to_its_rounding(tmp_path: Path) -> None:
    data = data_with_unequal_ignored_pixels(tmp_path / "data")
    recipe = recipe_of(data, training={"precision": "bfloat16"})
    train(recipe, tmp_path / "one")
    in_processes(2, train, tmp_path / "meet", recipe, tmp_path / "two")
    theirs, ours = tensors_of(tmp_path / "one"), tensors_of(tmp_path / "two")
    statistics = [name for name in theirs if name.endswith(("running_mean", "running_var"))]
    assert distance({name: ours[name] for name in statistics}, {name: theirs[name] for name in statistics}, "") < 0.05
    assert distance(ours, theirs, "network.") < 0.02
    losses = [[row["loss"] for row in rows_of(tmp_path / run) if "loss" in row] for run in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def distance(ours: dict[str, Tensor], theirs: dict[str, Tensor], part: str) -> float:
    """Of two states, relative to the size of all tensors of a part together."""
    assert ours.keys() == theirs.keys()
    names = [name for name in theirs if name.startswith(part)]
    mine, others = (torch.cat([tensors[name].flatten().double() for name in names]) for tensors in (ours, theirs))
    return float((mine - others).norm() / others.norm())


def _take_steps_with_synchronized_norms(recipe: Recipe, place: Path) -> None:
    with joined() as processes:
        run = begin(recipe, place, resume=False, overwrite=False, progress=Silent(), processes=processes)
        network = run.learner.network
        random = torch.Generator().manual_seed(0)
        for module in network.modules():
            if isinstance(module, BatchNorm):  # away from the kinks of ReLU, where rounding decides the gradient
                module.bias.data.copy_(torch.randn(module.bias.shape, generator=random))
        batches = training_batches(run.train_split, recipe.augmentation, batch_size=5, seed=0, share=processes.share)
        losses = [update(run.learner, [next(batches)], run.loss, run.arithmetic, run.together) for _ in range(STEPS)]
        found = {f"gradient.{name}": weight.grad for name, weight in network.named_parameters()}
        found |= {f"statistics.{name}": tensor.float() for name, tensor in network.named_buffers()}
        if processes.main:
            torch.save((losses, found), place / "found.pt")


@pytest.mark.slow
def test_two_processes_with_synchronized_norms_step_as_one(tmp_path: Path) -> None:
    # A large epsilon, for a variance of nearly nothing enlarges rounding, too.
    network = {"dropout": 0.0, "batch_norm": {"epsilon": 0.1}}
    recipe = recipe_of(data_with_unequal_ignored_pixels(tmp_path / "data"), network=network)
    _take_steps_with_synchronized_norms(recipe, tmp_path / "one")
    in_processes(2, _take_steps_with_synchronized_norms, tmp_path / "meet", recipe, tmp_path / "several")
    (losses, theirs), (ours_too, ours) = (torch.load(tmp_path / run / "found.pt") for run in ("one", "several"))
    assert ours_too == pytest.approx(losses, rel=1e-5)
    assert distance(ours, theirs, "statistics.") < 1e-4
    assert distance(ours, theirs, "gradient.") < 2e-2  # a weight that moves by 1e-7 of itself moves them by 0.5e-2


def _take_one_step_with_norms_apart(data: Path, place: Path) -> None:
    recipe = recipe_of(data, network={"batch_norm": {"synchronized": False, "momentum": 0.25}})
    with joined() as processes:
        run = begin(recipe, place, resume=False, overwrite=False, progress=Silent(), processes=processes)
        norm = next(module for module in run.learner.network.modules() if isinstance(module, BatchNorm))
        seen: list[Tensor] = []
        norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
        batches = training_batches(run.train_split, recipe.augmentation, batch_size=5, seed=0, share=processes.share)
        update(run.learner, [next(batches)], run.loss, run.arithmetic, run.together)
        means = torch.stack(processes.gather(seen[0].mean((0, 2, 3))))
        torch.testing.assert_close(norm.running_mean, 0.25 * means.mean(0))
        assert not torch.equal(means[0], means[1])
        states = processes.gather(dict(run.learner.network.state_dict()))
        assert_same_tensors(states[0], states[1])


def _resume(data: Path, place: Path) -> None:
    recipe = recipe_of(data, network={**FROZEN, "dropout": 0.5}, training={"validate_every": 2})
    number = dist.get_rank()
    train(recipe, place / "whole")
    # A signal that reaches one process alone stops all of them, after the same step.
    stopped = train(recipe, place / "parts", progress=SignalAfter(1) if number == 0 else None)
    assert (stopped.finished, stopped.state.step) == (False, 1)
    assert train(recipe, place / "parts", resume=True).finished
    stopped = train(recipe, place / "fewer", progress=SignalAfter(2) if number == 0 else None)
    assert stopped.state.step == 2
    _take_one_step_with_norms_apart(data, place / "apart")


@pytest.mark.slow
def test_a_run_of_three_processes_resumes_exactly_and_goes_on_with_one(tmp_path: Path) -> None:
    data = data_with_unequal_ignored_pixels(tmp_path / "data")
    in_processes(3, _resume, tmp_path / "meet", data, tmp_path)
    ours, theirs = (
        {n: t for n, t in tensors_of(tmp_path / run).items() if n != "random.cpu"} for run in ("parts", "whole")
    )
    assert_same_tensors(ours, theirs)
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")
    alone = train(
        recipe_of(data, network={**FROZEN, "dropout": 0.5}, training={"validate_every": 2}),
        tmp_path / "fewer",
        resume=True,
    )
    assert (alone.finished, alone.state.step) == (True, STEPS)


def _fail(data: Path, place: Path) -> None:
    number = dist.get_rank()
    errors: list[AtrousError] = []

    def fails(recipe: Recipe, folder: Path, **choices: Any) -> None:
        with pytest.raises(AtrousError) as caught:
            train(recipe, folder, **choices)
        errors.append(caught.value)

    with joined() as processes:
        if processes.main:
            (data / "images" / "train" / "p0.png").write_bytes(b"no picture")
        processes.gather(None)
    fails(
        recipe_of(data, network=FROZEN, training={"skip_pictures": 0}), place / "run"
    )  # one of the processes meets it in the middle of the training
    fails(recipe_of(data, training={"check_first": True}), place / "checked")
    fails(recipe_of(data, training={"batch_size": 1}), place / "few")
    assert [error.told for error in errors] == 3 * [number > 0]
    (place / f"errors{number}.json").write_text(json.dumps([f"{type(e).__name__}: {e}" for e in errors]))


@pytest.mark.slow
def test_an_error_that_one_process_meets_ends_both_by_the_same_sentence(tmp_path: Path) -> None:
    data = data_with_unequal_ignored_pixels(tmp_path / "data")
    in_processes(2, _fail, tmp_path / "meet", data, tmp_path)
    ours, theirs = (json.loads((tmp_path / f"errors{number}.json").read_text()) for number in (0, 1))
    assert ours == theirs
    assert ours[0].startswith("ImageError: ")
    assert ours[1].startswith("ImageError: ")
    assert ours[2].startswith("ConfigError: `training.batch_size` is 1, which 2 processes cannot share")
    assert not (tmp_path / "checked").exists()
    assert not (tmp_path / "few").exists()
    assert load(RunFolder(tmp_path / "run").last)
