"""What TensorBoard shows beside the columns of the log."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from atrous.evaluation.example_cards import Example
from atrous.labels import LabelSpace
from atrous.training.events import WIDEST, sheet
from atrous.training.train import train
from tests.training.runs import assert_same_tensors, small_recipe
from tests.training.test_resume import SignalAfter, tensors_of

RATES = {"kind": "sgd", "learning_rate": 0.001, "head_multiplier": 10, "bias_multiplier": 2}


def events_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder / "events"), size_guidance={"images": 0}).Reload()


def test_pictures_of_val_are_shown_after_each_validation_and_once_each_after_a_resume(tmp_path: Path) -> None:
    recipe = small_recipe(training={"shown_pictures": 1})
    train(recipe, tmp_path, progress=SignalAfter(6))
    train(recipe, tmp_path, resume=True)
    events = events_of(tmp_path)
    first, tag = sorted(events.Tags()["images"])
    assert first == "train/first_batch"
    assert [event.step for event in events.Images(tag)] == [4, 8]
    shown = Image.open(io.BytesIO(events.Images(tag)[0].encoded_image_string))
    assert shown.width > 4 * 48  # picture, truth, prediction, errors


def test_no_pictures_are_shown_where_none_are_wanted(tmp_path: Path) -> None:
    train(small_recipe(training={"steps": 1, "shown_pictures": 0}), tmp_path)
    assert events_of(tmp_path).Tags()["images"] == []


def test_every_learning_rate_is_shown_by_how_many_times_the_first_it_is(tmp_path: Path) -> None:
    train(small_recipe(optimizer=RATES, training={"steps": 4}), tmp_path)
    events = events_of(tmp_path)
    first = [event.value for event in events.Scalars("learning_rates/1x")]
    assert first == pytest.approx([0.001 * (1 - step / 4) ** 0.9 for step in range(4)])
    for times in (10, 20):
        rates = [event.value for event in events.Scalars(f"learning_rates/{times}x")]
        assert rates == pytest.approx([times * rate for rate in first])


def test_the_graph_is_shown_if_asked_for_and_changes_no_bit_of_the_training(tmp_path: Path) -> None:
    for name, wanted in (("with", True), ("without", False)):
        recipe = small_recipe(network={"dropout": 0.5}, training={"steps": 2, "show_graph": wanted})
        train(recipe, tmp_path / name)
    assert [events_of(tmp_path / name).Tags()["graph"] for name in ("with", "without")] == [True, False]
    assert_same_tensors(tensors_of(tmp_path / "with"), tensors_of(tmp_path / "without"))


def test_large_pictures_are_shown_small() -> None:
    mask = np.zeros((500, 2000), np.uint8)
    shown = sheet(Example("x", np.zeros((500, 2000, 3), np.uint8), mask, mask), LabelSpace.from_names(["a", "b"]))
    assert shown.shape[1] < 5 * WIDEST
    assert shown.shape[0] < 300
