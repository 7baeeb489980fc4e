"""`torchrun -m atrous`: real processes, which are really stopped, killed and given broken files."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.data import open_split
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.report import read_report
from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.recipe import Recipe, recipe_text
from atrous.training.run_folder import RunFolder
from tests.training.processes import SECONDS, torchrun
from tests.training.runs import small_recipe, write_data

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    data = write_data(tmp_path / "data", train=7, val=5)
    training = {"batch_size": 3, "steps": 5000, "validate_every": 4, "check_first": True}
    recipe = small_recipe(data, network={"batch_norm": {"frozen": True}}, training=training)
    (tmp_path / "small.yaml").write_text(recipe_text(recipe))
    return recipe


def begun(count: int, place: Path) -> "subprocess.Popen[str]":
    """A training below a folder that has validated once."""
    training = torchrun(count, "train", place / "small.yaml", "--output", place / "run")
    patience = time.monotonic() + SECONDS
    while len(read_log(RunFolder(place / "run").jsonl)) < 6:
        assert training.poll() is None, training.stderr and training.stderr.read()
        assert time.monotonic() < patience
        time.sleep(0.1)
    return training


def workers_of(training: "subprocess.Popen[str]") -> list[int]:
    return [int(number) for number in Path(f"/proc/{training.pid}/task/{training.pid}/children").read_text().split()]


def said(err: str) -> list[str]:
    """What the processes themselves say; torchrun adds the places where it noticed."""
    return [line for line in err.splitlines() if line.startswith("Error: ")]


def test_sigterm_to_torchrun_saves_and_three_processes_then_score_as_one(recipe: Recipe, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    training = begun(2, tmp_path)
    training.send_signal(signal.SIGTERM)
    out, err = training.communicate(timeout=SECONDS)
    assert out.count("Stopped at step") == out.count("Go on with: ") == 1
    assert out.count("7 pictures to train") == 1
    assert "2 processes over gloo share each batch of 3: 2 + 1\n" in out
    assert said(err) == []
    assert not list(run.path.rglob("*.part"))

    data = f"folder:{tmp_path / 'data'}"
    scoring = torchrun(3, "evaluate", run.last, data, "--output", tmp_path / "scores")
    out, err = scoring.communicate(timeout=SECONDS)
    assert scoring.returncode == 0, err
    assert out.count("Protocol: 5 pictures") == 1
    alone = evaluate(load(run.last), open_split(recipe.data, "val"))
    assert read_report(tmp_path / "scores" / "report.json") == alone
    assert np.array(alone.confusion).sum() == 5 * 31 * 40  # every pixel of every picture once; a border is ignored


@pytest.mark.usefixtures("recipe")
def test_a_mask_that_one_process_cannot_use_ends_all_with_one_sentence(tmp_path: Path) -> None:
    mask = tmp_path / "data" / "masks" / "train" / "p1.png"  # the second picture falls to the second process
    Image.fromarray(np.full((32, 40), 77, np.uint8)).save(mask)
    training = torchrun(2, "train", tmp_path / "small.yaml", "--output", tmp_path / "run")
    _, err = training.communicate(timeout=SECONDS)
    assert training.returncode == 1
    (sentence,) = said(err)
    assert "p1.png" in sentence
    assert "77" in sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("recipe")
def test_a_process_that_is_killed_ends_the_others_and_leaves_the_last_save(tmp_path: Path) -> None:
    training = begun(2, tmp_path)
    os.kill(workers_of(training)[-1], signal.SIGKILL)
    _, err = training.communicate(timeout=SECONDS)
    assert training.returncode == 1
    assert len(said(err)) <= 1  # torchrun may end the other before it can speak
    assert load(RunFolder(tmp_path / "run").last)
