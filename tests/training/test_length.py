"""How long a training is, on how much data, and which checkpoints stay."""

from pathlib import Path

import pytest

from atrous.errors import ConfigError
from atrous.evaluation.report import read_report
from atrous.training.recipe import TrainingConfig
from atrous.training.run_page import write_run_page
from atrous.training.train import train
from atrous.weights.checkpoint import read_info
from tests.training.runs import small_recipe
from tests.training.test_resume import SignalAfter, assert_same_run


@pytest.mark.parametrize(
    ("epochs", "batch_size", "accumulation", "steps"), [(1, 2, 1, 5), (3, 4, 2, 4), (0.5, 1, 1, 5), (2, 7, 1, 3)]
)
def test_an_epoch_sees_every_picture_once(epochs: float, batch_size: int, accumulation: int, steps: int) -> None:
    plan = TrainingConfig(epochs=epochs, batch_size=batch_size, accumulation=accumulation)
    assert plan.steps_for(10) == steps


def test_a_training_in_epochs_is_that_of_as_many_steps(tmp_path: Path) -> None:
    plans = {"epochs": {"steps": None, "epochs": 2}, "steps": {"steps": 5}}  # five pictures in batches of two
    results = [train(small_recipe(training=plan), tmp_path / name) for name, plan in plans.items()]
    assert [(result.finished, result.steps, result.state.step) for result in results] == [(True, 5, 5)] * 2
    assert_same_run(tmp_path / "epochs", tmp_path / "steps")


@pytest.mark.parametrize("plan", [{"steps": None}, {"steps": 3, "epochs": 1}])
def test_either_steps_or_epochs_are_given(plan: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"training.*`steps`.*`epochs`"):
        small_recipe(training=plan)


def test_a_training_on_a_share_of_the_pictures_says_so_in_all_that_it_leaves(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2, "fraction": 0.4})
    folder = train(recipe, tmp_path).folder
    write_run_page(folder, recipe)
    name = "small_on_40_percent_of_train"
    assert read_report(folder.report).model == name
    assert read_info(folder.best).name == name
    assert f"<title>{name}" in folder.page.read_text()
    whole = train(small_recipe(training={"steps": 2}), tmp_path / "whole")
    assert read_report(whole.folder.report).model == "small"


def test_a_share_of_the_pictures_is_the_same_after_a_resume(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 4, "fraction": 0.6, "seed": 5})
    train(recipe, tmp_path / "whole")
    train(recipe, tmp_path / "parts", progress=SignalAfter(1))
    train(recipe, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_checkpoints_are_kept_every_so_many_steps(tmp_path: Path) -> None:
    folder = train(small_recipe(training={"steps": 5, "keep_every": 2}), tmp_path).folder
    kept = sorted((tmp_path / "checkpoints").iterdir())
    assert kept == [folder.kept(2), folder.kept(4)]
    assert [read_info(path).provenance["step"] for path in kept] == [2, 4]


def test_kept_checkpoints_of_an_older_run_go_with_it_and_files_of_others_stay(tmp_path: Path) -> None:
    train(small_recipe(training={"steps": 4, "keep_every": 2}), tmp_path)
    (tmp_path / "checkpoints" / "mine.safetensors").write_text("mine")
    train(small_recipe(training={"steps": 1}), tmp_path, overwrite=True)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["mine.safetensors"]
