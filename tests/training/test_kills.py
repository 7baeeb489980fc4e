"""Processes that are really killed, at random moments, end with the weights of one that was not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from atrous.inference.predictor import load
from atrous.training.recipe import recipe_text
from atrous.training.run_folder import RunFolder
from atrous.training.train import train
from tests.training.runs import assert_same_tensors, small_recipe
from tests.training.test_resume import assert_same_run

LIVELY: dict[str, Any] = {
    "optimizer": {"kind": "adamw", "learning_rate": 0.01},
    "network": {"dropout": 0.5},
    "augmentation": {"brightness": 0.3},
}


@pytest.mark.long
@pytest.mark.parametrize(("seed", "workers", "minutes"), [(0, 0, 0.0), (1, 2, 0.0), (2, 0, 0.002)])
def test_a_training_killed_twelve_times_at_random_moments_ends_with_the_same_bits(
    seed: int, workers: int, minutes: float, tmp_path: Path
) -> None:
    training = {"steps": 60, "validate_every": 7, "save_minutes": minutes, "workers": workers, "average_decay": 0.9}
    recipe = small_recipe(**LIVELY, training=training)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(recipe))
    words = [sys.executable, "-m", "tests.training.killed", str(path), str(tmp_path / "killed"), str(seed), "12"]
    run = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 6, run.stdout  # a fast machine may be done before it was killed as often as that
    train(recipe, tmp_path / "whole")
    assert_same_run(tmp_path / "killed", tmp_path / "whole")
    best = [load(RunFolder(tmp_path / name).best).network.state_dict() for name in ("killed", "whole")]
    assert_same_tensors(*best)
    assert not list((tmp_path / "killed").rglob("*.part"))
