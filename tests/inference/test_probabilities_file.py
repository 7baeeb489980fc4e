"""Probabilities on disk: those of the prediction, rounded, whatever the size, and in little memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.crf import DenseCRFConfig
from atrous.errors import OutputError
from atrous.inference import probabilities_file
from atrous.inference.prediction import LabelledPrediction, Prediction
from atrous.inference.views import Answer
from atrous.labels import LabelSpace
from tests.tiny_data import LABELS, noise

SIZES = [(1, 1), (1, 9), (9, 1), (37, 23), (64, 65)]


def prediction_of(size: tuple[int, int], crf: DenseCRFConfig | None = None, labels: LabelSpace = LABELS) -> Prediction:
    logits, mirrored = torch.randn(2, labels.num_classes, 5, 7, generator=torch.manual_seed(0)).numpy() * 4
    return Prediction(noise(size, 0), logits, labels, crf=crf, others=[Answer(mirrored, flipped=True)])


@pytest.mark.parametrize("crf", [None, DenseCRFConfig(iterations=1)])
@pytest.mark.parametrize("size", SIZES)
def test_the_file_holds_the_probabilities_and_the_names(
    size: tuple[int, int], crf: DenseCRFConfig | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probabilities_file, "BAND", 500)  # so that even these have several bands
    prediction_of(size, crf).save(tmp_path / "photo.npz")
    with np.load(tmp_path / "photo.npz") as file:
        assert file["probabilities"].dtype == np.float16
        np.testing.assert_allclose(file["probabilities"], prediction_of(size, crf).probabilities, atol=1 / 2048)
        assert file["classes"].tolist() == list(LABELS.names)


def test_labels_alone_are_certain(tmp_path: Path) -> None:
    mask = np.array([[0, 2], [1, LABELS.ignore_index]], np.uint8)
    LabelledPrediction(noise((2, 2), 0), mask, LABELS).save(tmp_path / "photo.npz")
    with np.load(tmp_path / "photo.npz") as file:
        assert file["probabilities"].sum(axis=0).tolist() == [[1, 1], [1, 0]]
        assert file["probabilities"].argmax(axis=0).tolist() == [[0, 2], [1, 0]]


def test_the_same_prediction_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        prediction_of((9, 9)).save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_probabilities_of_the_whole_picture_are_never_in_memory(tmp_path: Path) -> None:
    labels = LabelSpace.from_names([f"class {number}" for number in range(50)])
    prediction_of((8, 8), labels=labels).save(tmp_path / "first.npz")  # the loops are compiled
    wide = prediction_of((1200, 1000), labels=labels)
    tracemalloc.start()
    wide.save(tmp_path / "photo.npz")
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 50 * 1200 * 1000 * 4 / 2


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError) as caught:
        prediction_of((3, 3)).save(tmp_path / "taken" / "photo.npz")
    assert "photo.npz" in str(caught.value)
