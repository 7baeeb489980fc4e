"""Faults planted in real trainings are found, once each; a healthy training hears nothing."""

import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from atrous.data import open_split
from atrous.data.folder import FolderConfig
from atrous.data.loading import Batch
from atrous.errors import TrainingError
from atrous.evaluation.evaluate import evaluate
from atrous.inference.predictor import Predictor
from atrous.inference.views import Views
from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.training.logs import read_log
from atrous.training.lookout import any_label, count_shown, score_on_train
from atrous.training.run_folder import RunFolder
from atrous.training.run_page import training_warnings, write_run_page
from atrous.training.train import train
from tests.small import SMALL_NETWORKS
from tests.training.runs import small_recipe, write_data
from tests.training.test_resume import SignalAfter, assert_same_run


def causes(folder: RunFolder) -> list[str]:
    return [row["cause"].split()[0] for row in read_log(folder.jsonl) if "cause" in row]


def warned(folder: RunFolder, cause: str) -> str:
    """The one warning of a cause."""
    (sentence,) = [row["warning"] for row in read_log(folder.jsonl) if row.get("cause", "").startswith(cause)]
    return str(sentence)


def test_a_collapse_to_the_background_is_found_and_stands_in_log_terminal_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from atrous.progress import Lines

    data = write_data(tmp_path / "data")
    weights = {"ground": 1e4, "box": 1e-4, "stripe": 1e-4}  # whatever is not ground costs nothing
    recipe = small_recipe(
        data,
        loss={"kind": "cross_entropy", "class_weights": weights},
        optimizer={"kind": "adamw", "learning_rate": 0.01},
        training={"steps": 30, "validate_every": 15},
    )
    folder = train(recipe, tmp_path / "run", progress=Lines()).folder
    sentence = warned(folder, "collapse")
    assert sentence.startswith("The network answers ground for ")
    assert f"Warning: {sentence}" in capsys.readouterr().out
    assert sentence.split(":")[0] in folder.csv.read_text()
    write_run_page(folder, recipe)
    page = folder.page.read_text()
    assert "Warnings of the training" in page
    assert "it has collapsed to one class" in page
    assert (15, sentence) in training_warnings(folder) or (30, sentence) in training_warnings(folder)


def test_a_class_that_no_mask_of_train_shows_is_named_and_so_is_that_it_is_never_predicted(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=6)
    for path in (data / "masks" / "train").iterdir():
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask == 2, 0, mask).astype(np.uint8)).save(path)
    recipe = small_recipe(
        data,
        loss={"kind": "cross_entropy", "class_weights": {"box": 8}},  # so that all is not ground
        optimizer={"kind": "adamw", "learning_rate": 0.01},
        training={"steps": 60, "batch_size": 4, "validate_every": 30},
    )
    folder = train(recipe, tmp_path / "run").folder
    assert "has shown stripe in a whole epoch" in warned(folder, "never shown")
    assert warned(folder, "never predicted").startswith("Never predicted: stripe (")


def test_a_rate_a_thousand_times_too_high_is_named_while_the_loss_is_still_a_number(tmp_path: Path) -> None:
    recipe = small_recipe(
        write_data(tmp_path / "data"),
        optimizer={"kind": "adamw", "learning_rate": 10},
        schedule={"kind": "plateau", "warmup_steps": 0},
        training={"steps": 25, "validate_every": 25},
    )
    with suppress(TrainingError):  # the weights may end as no numbers
        train(recipe, tmp_path / "run")
    assert "learning rate 10" in warned(RunFolder(tmp_path / "run"), "exploding")


def test_crops_without_a_label_are_named_at_their_first_step_alone(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for path in (data / "masks" / "train").iterdir():
        Image.new("L", (40, 32), 255).save(path)
    folder = train(small_recipe(data, training={"steps": 4}), tmp_path / "run").folder
    assert warned(folder, "all ignored").startswith("Step 1 saw no labelled pixel")


def test_pictures_that_are_known_by_heart_are_named_with_both_scores(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=3)
    for path in (data / "images" / "val").iterdir():  # they show something else than train
        Image.fromarray(255 - np.array(Image.open(path))).save(path)
    recipe = small_recipe(
        data,
        augmentation={"scale": [1, 1], "flip": False},
        optimizer={"kind": "adamw", "learning_rate": 0.01},
        training={"steps": 160, "batch_size": 3, "validate_every": 80},
    )
    folder = train(recipe, tmp_path / "run").folder
    assert "on pictures of train and" in warned(folder, "gap")
    assert [row["train_mean_iou"] for row in read_log(folder.jsonl) if "train_mean_iou" in row]


def test_pictures_of_train_are_scored_at_their_own_size_and_at_that_of_the_crops(tmp_path: Path) -> None:
    split = open_split(FolderConfig(root=write_data(tmp_path / "data", size=(64, 80))), "train")
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], 3)
    whole, half = (Predictor(network, split.labels, name="small", views=Views(scales=(s,))) for s in (1.0, 0.5))
    expected = [evaluate(predictor, split).scores.mean_iou for predictor in (whole, half)]
    assert score_on_train(whole, split, (32, 40)) == (*expected, 0.5)
    assert score_on_train(whole, split, (64, 80)) == (expected[0], None, 1.0)
    assert expected[0] != expected[1]


def test_a_loader_that_starves_the_device_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = import_module("atrous.training.train")

    original = loop.training_batches

    def slow_batches(*arguments: Any, **named: Any) -> Iterator[Batch]:
        for batch in original(*arguments, **named):
            time.sleep(0.2)
            yield batch

    monkeypatch.setattr(loop, "update", lambda *_: 1.0)
    monkeypatch.setattr(loop, "training_batches", slow_batches)
    folder = train(small_recipe(training={"steps": 32, "validate_every": 32}), tmp_path).folder
    assert "training.workers" in warned(folder, "starving")
    waits = [row["data_wait"] for row in read_log(folder.jsonl) if "data_wait" in row]
    assert all(0 < wait <= 1 for wait in waits)


@pytest.mark.slow
def test_a_healthy_training_hears_nothing_but_its_clock(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=24, val=4, stripe=14)  # 3 pixels may well never be predicted
    recipe = small_recipe(
        data,
        augmentation={"scale": [1, 1], "crop": [32, 40]},
        optimizer={"kind": "adamw", "learning_rate": 0.01},
        training={"steps": 120, "batch_size": 8, "validate_every": 60},
    )
    folder = train(recipe, tmp_path / "run").folder
    assert [cause for cause in causes(folder) if cause != "starving"] == []  # that depends on what else goes on here


def test_warnings_are_those_of_the_uninterrupted_run(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for path in (data / "masks" / "train").iterdir():
        Image.new("L", (40, 32), 255).save(path)
    recipe = small_recipe(data)
    train(recipe, tmp_path / "whole")
    train(recipe, tmp_path / "parts", progress=SignalAfter(5))
    train(recipe, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert causes(RunFolder(tmp_path / "parts")).count("all") == 1


def test_masks_of_sixteen_bits_are_counted_like_those_of_eight() -> None:
    labels = LabelSpace.from_names([f"c{n}" for n in range(300)])
    mask = torch.from_numpy(np.full((2, 8, 8), 65535, np.uint16))
    batch = Batch(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), mask)
    assert any_label([batch], labels) == 0
    assert count_shown([mask], labels) == [0] * 300
    mask = torch.from_numpy(np.full((2, 8, 8), 299, np.uint16))
    assert any_label([batch._replace(mask=mask)], labels) == 1
    assert count_shown([mask], labels) == [0] * 299 + [8]
