import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.training.recipe import read_recipe
from atrous.weights import bundled
from atrous.weights.checkpoint import CheckpointInfo, read_info, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.training.runs import CLASSES, write_data


@pytest.fixture(autouse=True)
def own_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of this process's own work, for a busy machine has no time in those on the wall."""
    monkeypatch.setattr(sys.modules["atrous.cli.fit"], "monotonic", time.process_time)


@pytest.fixture(autouse=True)
def without_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is at hand but what a test puts there."""
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(bundled, "FOLDER", folder)
    return folder


@pytest.fixture
def small_model(without_models: Path) -> Path:
    """A bundled model that knows two of the three classes."""
    torch.manual_seed(0)
    path = without_models / "streets.safetensors"
    info = CheckpointInfo(
        name="streets", network=SMALL_NETWORKS[0], labels=LabelSpace.from_names(("ground", "sky", "box"))
    )
    save_checkpoint(path, build_network(SMALL_NETWORKS[0], 3), info)
    return path


@pytest.mark.slow
def test_a_fit_says_why_keeps_to_its_time_and_leaves_an_ordinary_run(
    atrous: Terminal, small_model: Path, tmp_path: Path
) -> None:
    data, run = write_data(tmp_path / "data"), tmp_path / "run"
    began = time.process_time()
    code, out, err = atrous("fit", data, "--minutes", 0.75, "--output", run)
    assert (code, err) == (0, "")
    assert time.process_time() - began < 60
    for words in ("choice", "why", "2 of the 3 classes", "network", "batch", "validations", "is done in", "Done in"):
        assert words in out
    assert read_info(run / "best.safetensors").labels.names == CLASSES
    recipe = read_recipe(run / "recipe.yaml")
    assert recipe.training.start_from == small_model.stem
    assert recipe.network == SMALL_NETWORKS[0]
    again = ("train", run / "recipe.yaml", "training.steps=2", "--output", tmp_path / "again", "--quiet")
    assert atrous(*again).code == 0
    assert atrous("train", run / "recipe.yaml", "--output", run, "--resume", "--quiet").code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small_model")
def test_without_a_split_val_one_is_drawn_beside_the_run_and_said(atrous: Terminal, tmp_path: Path) -> None:
    data, run = write_data(tmp_path / "data", train=6), tmp_path / "run"
    description = yaml.safe_load((data / "dataset.yaml").read_text())
    (data / "dataset.yaml").write_text(yaml.safe_dump({**description, "splits": ["train"]}))
    code, out, _ = atrous("fit", data, "--minutes", 0.75, "--output", run)
    assert code == 0
    assert "no split val" in out
    assert len(list((run / "data" / "images" / "val").iterdir())) == 1
    assert len(list((run / "data" / "images" / "train").iterdir())) == 5
    assert read_recipe(run / "recipe.yaml").data.kind == "folder"
    assert "already holds a run" in atrous.fails("fit", data, "--minutes", 0.75, "--output", run)


@pytest.mark.usefixtures("small_model")
def test_time_too_short_for_one_validation_is_one_sentence_and_nothing_is_written(
    atrous: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.training.planning.measure.seconds_per_prediction", lambda *_: 100.0)
    data = write_data(tmp_path / "data")
    sentence = atrous.fails("fit", data, "--minutes", 1.5, "--output", tmp_path / "run")
    assert "single validation" in sentence
    assert "--minutes" in sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_weights_that_are_named_or_refused_are_what_it_starts_from(
    atrous: Terminal, small_model: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data")
    assert "no model `stretes`" in atrous.fails("fit", data, "--start-from", "stretes", "--output", tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text("{}\n")  # of a run that may be replaced
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(small_model.read_bytes())
    fit = ("fit", data, "--minutes", 0.75, "--overwrite", "--quiet", "--output")
    assert atrous(*fit, tmp_path / "run", "--start-from", copy).code == 0
    assert read_recipe(tmp_path / "run" / "recipe.yaml").training.start_from == str(copy)


def test_one_of_several_processes_is_sent_back(
    atrous: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "one of 2" in atrous.fails("fit", tmp_path, "--output", tmp_path / "run")


def test_data_that_cannot_be_used_are_one_sentence(atrous: Terminal, tmp_path: Path) -> None:
    assert "no folder" in atrous.fails("fit", tmp_path / "nowhere", "--output", tmp_path / "run")
    data = write_data(tmp_path / "data")
    (data / "masks" / "train" / "p1.png").unlink()
    assert "p1.png has no mask" in atrous.fails("fit", data, "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()
