"""Real processes that are really stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.recipe import recipe_text
from atrous.training.run_folder import RunFolder
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors
from tests.cli.terminal import process
from tests.training.runs import assert_same_tensors, small_recipe

SECONDS_TO_BEGIN = 180.0


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(recipe_text(small_recipe(training={"steps": 1000, "validate_every": 10, "workers": 1})))
    return path


def begun(recipe: Path, run: RunFolder, steps: int) -> "subprocess.Popen[str]":
    """A training that has made so many steps."""
    training = process("train", recipe, "--output", run.path)
    patience = time.monotonic() + SECONDS_TO_BEGIN
    while len(read_log(run.jsonl)) < steps:
        assert training.poll() is None, training.stderr and training.stderr.read()
        assert time.monotonic() < patience
        time.sleep(0.05)
    return training


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGINT, True),
        pytest.param(signal.SIGINT, False, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, False, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_training_soon_and_well(
    number: signal.Signals, whole_group: bool, recipe: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    training = begun(recipe, run, 3)
    if whole_group:
        os.killpg(training.pid, number)  # as Ctrl-C in a terminal does: the loader process gets it too
    else:
        training.send_signal(number)
    out, err = training.communicate(timeout=60)
    assert (training.returncode, err) == (0, "")
    assert "Stopped at step" in out
    assert f"atrous train {run.recipe} --output {run.path} --resume" in out
    assert load(run.last)
    assert not list(run.path.rglob("*.part"))


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 60, "validate_every": 6, "workers": 1})
    path = tmp_path / "small.yaml"
    path.write_text(recipe_text(recipe))
    run = RunFolder(tmp_path / "run")
    killed = begun(path, run, 15)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)
    assert load(run.last)
    assert load_tensors(run.state, "state")
    train(recipe, run.path, resume=True)
    whole = train(recipe, tmp_path / "whole").folder
    assert_same_tensors(load_tensors(run.state, "state")[0], load_tensors(whole.state, "state")[0])
    assert [row["step"] for row in read_log(run.jsonl)] == [row["step"] for row in read_log(whole.jsonl)]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [20_000, 200_000])
def test_a_file_system_that_takes_no_more_is_one_sentence(limit: int, recipe: Path, tmp_path: Path) -> None:
    command = f'ulimit -f {limit // 1024}; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "atrous", "train", recipe, "--output", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=100,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, done.stderr
