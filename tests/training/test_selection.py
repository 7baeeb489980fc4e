"""Which checkpoint is the best, and when a training gives up."""

from pathlib import Path
from typing import Any

import pytest

from atrous.errors import ConfigError
from atrous.evaluation.report import read_report
from atrous.training.logs import read_log
from atrous.training.train import train
from atrous.weights.checkpoint import read_info
from tests.training.runs import small_recipe
from tests.training.test_resume import SignalAfter, assert_same_run

WILD = {"kind": "sgd", "learning_rate": 0.5}
STILL: dict[str, Any] = {
    "optimizer": {"kind": "sgd", "learning_rate": 1e-12},
    "network": {"batch_norm": {"frozen": True}},
}
"""A training that changes so little that no validation differs from the first."""


@pytest.mark.parametrize("metric", ["pixel_accuracy", "mean_dice"])
def test_the_best_is_chosen_by_the_metric_that_is_asked_for(metric: str, tmp_path: Path) -> None:
    result = train(small_recipe(optimizer=WILD, training={"validate_every": 1, "best_by": metric}), tmp_path)
    scores = {row["step"]: row[f"val_{metric}"] for row in read_log(result.folder.jsonl) if f"val_{metric}" in row}
    assert len(scores) == 8
    best = max(scores, key=lambda step: (scores[step], -step))
    assert read_info(result.folder.best).provenance["step"] == best == result.state.best_step
    assert result.state.best_score == pytest.approx(scores[best], rel=1e-5)


def test_the_best_is_chosen_by_the_iou_of_one_class(tmp_path: Path) -> None:
    labels = read_report(train(small_recipe(training={"steps": 1}), tmp_path / "first").folder.report).labels
    plan = {"steps": 2, "validate_every": 1, "best_class": labels.names[1]}
    result = train(small_recipe(optimizer=WILD, training=plan), tmp_path / "run")
    assert read_report(result.folder.report).scores.classes[1].iou == pytest.approx(result.state.best_score)


def test_a_class_that_is_unknown_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.best_class.*no class `cloud`"):
        train(small_recipe(training={"best_class": "cloud"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_that_gets_no_better_ends_early_and_is_finished(tmp_path: Path) -> None:
    plan = {"steps": 8, "validate_every": 1, "stop_after": 2}
    result = train(small_recipe(**STILL, training=plan), tmp_path)
    assert result.finished
    assert (result.state.best_step, result.state.step) == (1, 3)
    again = train(small_recipe(**STILL, training=plan), tmp_path, resume=True)
    assert (again.finished, again.state.step) == (True, 3)


def test_a_plateau_cuts_the_rate_also_when_the_run_was_interrupted_on_it(tmp_path: Path) -> None:
    recipe_of: dict[str, Any] = {
        **STILL,
        "schedule": {"kind": "plateau", "patience": 1, "factor": 0.5},
        "training": {"validate_every": 1},
    }
    whole = train(small_recipe(**recipe_of), tmp_path / "whole")
    for number, step in enumerate((2, 4, 5)):
        train(small_recipe(**recipe_of), tmp_path / "parts", resume=number > 0, progress=SignalAfter(step))
    assert train(small_recipe(**recipe_of), tmp_path / "parts", resume=True).finished
    rates = [row["learning_rate"] for row in read_log(whole.folder.jsonl) if "learning_rate" in row]
    assert [rate / 1e-12 for rate in rates] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
