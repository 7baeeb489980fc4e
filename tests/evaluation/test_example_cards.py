import base64
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from atrous.evaluation.example_cards import Card, Example, example_cards
from atrous.labels import LabelSpace
from atrous.visualization import colorize

LABELS = LabelSpace.from_names(["background", "cat", "dog"])


def card_of(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> Card:
    image = np.full((*truth.shape, 3), 128, np.uint8)
    return example_cards([Example("a.jpg", image, truth, prediction)], LABELS)[0]


def decoded(uri: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def test_the_score_of_a_picture_is_the_mean_over_the_classes_in_it() -> None:
    truth = np.array([[0, 0, 0, 1, 255]], np.uint8)
    prediction = np.array([[0, 0, 1, 1, 2]], np.uint8)
    card = card_of(truth, prediction)
    assert card.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)  # dog is predicted only where nothing counts
    assert card.wrong == pytest.approx(1 / 4)


def test_a_picture_that_is_ignored_has_no_score() -> None:
    card = card_of(np.full((4, 4), 255, np.uint8), np.zeros((4, 4), np.uint8))
    assert card.mean_iou is None
    assert card.wrong is None


def test_a_prediction_of_no_class_is_wrong() -> None:
    card = card_of(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))
    assert card.mean_iou == 0
    assert card.wrong == 1


def test_masks_keep_the_exact_colors_of_their_classes() -> None:
    truth = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (20, 30))
    card = card_of(truth, truth)
    np.testing.assert_array_equal(decoded(card.figures[1].uri), colorize(truth, LABELS))


def test_masks_of_more_than_255_classes_can_be_shown() -> None:
    many = LabelSpace.from_names([f"class {index}" for index in range(300)])
    truth = np.full((5, 5), 280, np.uint16)
    card = example_cards([Example("a.jpg", np.zeros((5, 5, 3), np.uint8), truth, truth)], many)[0]
    np.testing.assert_array_equal(decoded(card.figures[1].uri), colorize(truth, many))


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3), (1200, 1600), (360, 480)])
def test_pictures_of_any_size_are_shown_at_most_480_wide(size: tuple[int, int]) -> None:
    card = card_of(np.zeros(size, np.uint8), np.zeros(size, np.uint8))
    assert card.size == size
    assert 1 <= card.shown[1] <= 480
    assert 1 <= card.shown[0] <= 720
    assert all(decoded(figure.uri).shape[:2] == card.shown for figure in card.figures)


def test_an_example_larger_than_its_share_of_the_page_is_shown_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (360, 480), np.uint8)
    large = card_of(noise, noise)
    monkeypatch.setattr("atrous.evaluation.example_cards.PAGE_BYTES", 60_000)
    small = card_of(noise, noise)
    assert large.shown == (360, 480)
    assert small.shown[1] < 480
    assert sum(len(figure.uri) for figure in small.figures) <= 60_000
    assert small.mean_iou == large.mean_iou


def test_words_say_what_the_masks_show() -> None:
    truth = np.repeat(np.array([[1, 1, 1, 2]], np.uint8), 4, axis=0)
    alts = [figure.alt for figure in card_of(truth, np.zeros_like(truth)).figures]
    assert alts == [
        "The picture a.jpg",
        "True classes: cat 75%, dog 25%",
        "Predicted classes: background 100%",
        "Where the prediction errs: 100.0% of the pixels are wrong",
    ]
