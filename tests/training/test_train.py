import errno
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from atrous.data import open_split
from atrous.errors import AtrousError, ImageError, OutputError, TrainingError
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.report import read_report
from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.step import choose_arithmetic
from atrous.training.train import train
from atrous.weights.checkpoint import read_info
from tests.small import SMALL_NETWORKS
from tests.training.runs import files_below, small_recipe, write_data


def slow(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


def test_a_recipe_names_the_splits_to_train_and_to_validate_on(tmp_path: Path) -> None:
    """COCO-Stuff 10k has a test and no val."""
    recipe = small_recipe(training={"steps": 1, "train_on": "val", "validate_on": "test"})
    result = train(recipe, tmp_path / "run")
    report = read_report(result.folder.report)
    assert (report.protocol.split, report.protocol.pictures) == ("test", 2)


def test_training_learns(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=6)
    recipe = small_recipe(
        data,
        optimizer={"kind": "adamw", "learning_rate": 0.01},
        training={"steps": 30, "batch_size": 4, "validate_every": 30},
    )
    rows = read_log(train(recipe, tmp_path / "run").folder.jsonl)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


def test_the_best_checkpoint_is_the_one_with_the_highest_score_and_the_report_is_its_own(tmp_path: Path) -> None:
    recipe = small_recipe(training={"validate_every": 2}, optimizer={"kind": "sgd", "learning_rate": 0.5})
    result = train(recipe, tmp_path)
    scores = {row["step"]: row["val_mean_iou"] for row in read_log(result.folder.jsonl) if "val_mean_iou" in row}
    assert sorted(scores) == [2, 4, 6, 8]
    info, report = read_info(result.folder.best), read_report(result.folder.report)
    assert info.provenance["step"] == max(scores, key=lambda step: (scores[step], -step)) == result.state.best_step
    assert info.scores["mean_iou"] == report.scores.mean_iou == result.state.best_score
    assert report.scores.mean_iou == pytest.approx(max(scores.values()), rel=1e-5)


@pytest.mark.parametrize("network", [SMALL_NETWORKS[0], *map(slow, SMALL_NETWORKS[1:])], ids=repr)
def test_scores_in_the_checkpoint_equal_those_of_evaluating_it_to_the_last_digit(network: Any, tmp_path: Path) -> None:
    recipe = small_recipe(network=network.model_dump(mode="json"), training={"steps": 3})
    result = train(recipe, tmp_path)
    again = evaluate(load(result.folder.best), open_split(recipe.data, "val"))
    assert again == read_report(result.folder.report)
    scores = read_info(result.folder.best).scores
    protocol = again.protocol.model_dump(mode="json")
    assert {**again.scores.model_dump(mode="json", exclude={"classes"}), "protocol": protocol} == scores


def test_a_checkpoint_tells_its_recipe_and_where_it_comes_from(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2})
    info = read_info(train(recipe, tmp_path).folder.last)
    assert info.recipe == json.loads(recipe.model_dump_json())
    assert info.network == recipe.network
    assert info.provenance["step"] == 2
    assert "torch" in info.provenance["trained_with"]


def test_no_picture_of_the_validation_is_dropped_whatever_the_batch_size(tmp_path: Path) -> None:
    recipe = small_recipe(write_data(tmp_path / "data", val=3), training={"steps": 1, "batch_size": 2})
    report = read_report(train(recipe, tmp_path / "run").folder.report)
    assert report.protocol.pictures == 3
    assert sum(map(sum, report.confusion)) == 3 * 31 * 40  # the first row of each mask is ignored


def test_a_batch_of_one_trains(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2, "batch_size": 1}, augmentation={"crop": [17, 19]})
    assert train(recipe, tmp_path).finished


def test_pictures_without_any_label_give_loss_zero_and_no_nan(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for mask in (data / "masks" / "train").iterdir():
        Image.new("L", (40, 32), 255).save(mask)
    result = train(small_recipe(data, training={"steps": 3}), tmp_path / "run")
    assert [row["loss"] for row in read_log(result.folder.jsonl) if "loss" in row] == [0.0, 0.0, 0.0]
    assert result.finished


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("channels_last", [True, slow(False)])
def test_every_arithmetic_trains_float32_weights(precision: str, channels_last: bool, tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2, "precision": precision, "channels_last": channels_last})
    arithmetic = choose_arithmetic(recipe.training)
    assert arithmetic.precision == precision
    assert (arithmetic.memory_format is torch.channels_last) == channels_last
    weights = load(train(recipe, tmp_path).folder.last).network.state_dict().values()
    assert {tensor.dtype for tensor in weights} <= {torch.float32, torch.int64}


def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence(tmp_path: Path) -> None:
    recipe = small_recipe(optimizer={"kind": "sgd", "learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"learning_rate") as caught:
        train(recipe, tmp_path / "wild")
    assert "\n" not in str(caught.value)
    assert "nothing was saved yet" in str(caught.value)
    assert not (tmp_path / "wild" / "last.safetensors").exists()


def test_weights_that_are_no_numbers_never_replace_a_good_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from atrous.training import step

    original, calls = step.update, 0

    def update(learner: Any, *rest: Any) -> float:
        nonlocal calls
        calls += 1
        loss = original(learner, *rest)
        if calls == 4:  # one step too large: the loss is still finite
            next(learner.network.parameters()).data.fill_(float("inf"))
        return loss

    monkeypatch.setattr("atrous.training.train.update", update)
    with pytest.raises(TrainingError, match=r"After step 4 .*last\.safetensors is from before"):
        train(small_recipe(training={"validate_every": 2}), tmp_path)
    assert read_info(tmp_path / "last.safetensors").provenance["step"] == 2
    assert load(tmp_path / "last.safetensors")


@pytest.mark.parametrize(
    "file", [*map(slow, ["last.safetensors", "report.json", "best.safetensors"]), "state.safetensors"]
)
def test_a_full_disk_is_one_sentence_and_leaves_every_older_file_whole(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(training={"steps": 4, "validate_every": 1})
    replace, written = os.replace, 0

    def full(source: Any, target: Any) -> None:
        nonlocal written
        written += str(target).endswith(file)
        if written > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("atrous.files.os.replace", full)
        patch.setattr("atrous.training.run.RunState", always_better())
        with pytest.raises(OutputError, match="No space is left on the disk") as caught:
            train(recipe, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))
    assert load(tmp_path / "last.safetensors")
    assert load(tmp_path / "best.safetensors")
    assert train(recipe, tmp_path, resume=True).finished


def always_better() -> Any:
    from atrous.training.state import RunState

    class AlwaysBetter(RunState):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, -1.0 if name == "best_score" else value)

    return AlwaysBetter


def test_a_picture_that_turns_unreadable_saves_the_run_and_names_the_file(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    picture = data / "images" / "train" / "p1.png"
    whole = picture.read_bytes()
    recipe = small_recipe(data, training={"batch_size": 1, "validate_every": 8, "skip_pictures": 0})
    picture.write_bytes(whole[:-200])
    with pytest.raises(ImageError, match=r"p1\.png"):
        train(recipe, tmp_path / "run")
    assert load(tmp_path / "run" / "last.safetensors")
    picture.write_bytes(whole)
    assert train(recipe, tmp_path / "run", resume=True).finished


def test_too_little_memory_is_one_sentence_that_says_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(*_: Any) -> float:
        torch.empty(1 << 60)
        return 0.0

    monkeypatch.setattr("atrous.training.train.update", update)
    with pytest.raises(TrainingError, match=r"2 crops of 32x32 .* training\.batch_size"):
        train(small_recipe(), tmp_path)


def test_a_place_that_cannot_be_made_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    before = files_below(tmp_path)
    with pytest.raises(AtrousError, match="file"):
        train(small_recipe(), tmp_path / "file" / "run")
    assert files_below(tmp_path) == before


def test_loader_processes_end_with_the_training_whatever_ended_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(*_: Any) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr("atrous.training.train.update", update)
    with pytest.raises(ZeroDivisionError) as held:  # with its traceback, and so with the frames that know the loader
        train(small_recipe(training={"workers": 1}), tmp_path)
    assert held
    assert not multiprocessing.active_children()
