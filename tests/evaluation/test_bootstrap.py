"""Intervals that hold what they say, whoever counts the pictures and in whatever order."""

import pickle

import numpy as np
import pytest

from atrous.evaluation.bootstrap import DRAWS, UNIT, Draws, interval, weights_of
from atrous.evaluation.metrics import means


def drawn(pictures: np.ndarray, numbers: range) -> np.ndarray:
    draws = Draws(pictures.shape[1])
    for number in numbers:
        draws.add(number, pictures[number])
    return draws.sums


def test_the_sums_of_a_draw_are_those_of_the_pictures_with_their_weights() -> None:
    pictures = np.random.default_rng(0).integers(0, 50, (20, 6)) * np.array([1, 1, 0, 1, 1, 1])
    weights = np.stack([weights_of(number) for number in range(20)])
    np.testing.assert_array_equal(drawn(pictures, range(20)), pictures.T @ weights)


def test_draws_of_several_processes_add_up() -> None:
    pictures = np.random.default_rng(1).integers(0, 50, (9, 4))
    whole = drawn(pictures, range(9))
    np.testing.assert_array_equal(drawn(pictures, range(0, 9, 2)) + drawn(pictures, range(1, 9, 2)), whole)


def test_draws_travel_between_processes_without_what_was_never_counted() -> None:
    draws = Draws(500)
    draws.add(3, np.eye(1, 500, 7, dtype=np.int64)[0])
    content = pickle.dumps(draws)
    np.testing.assert_array_equal(pickle.loads(content).sums, draws.sums)
    assert len(content) < 2 * 8 * DRAWS


def test_pictures_weigh_what_an_exponential_number_says() -> None:
    weights = np.stack([weights_of(number) for number in range(2000)]) / UNIT
    assert weights.shape == (2000, DRAWS)
    assert weights.min() > 0  # so that no picture and no class is absent from a draw
    for limit in (0.1, 0.5, 1.0, 2.0, 4.0):
        assert np.mean(weights > limit) == pytest.approx(np.exp(-limit), abs=0.01)
    assert weights.mean() == pytest.approx(1, abs=2e-3)
    assert abs(np.mean((weights[0] - 1) * (weights[1] - 1))) < 0.15
    assert weights.sum(axis=0).var() / len(weights) == pytest.approx(1, abs=0.15)  # draws do not go together


def test_a_class_that_one_picture_shows_does_not_move_the_interval_away_from_the_score() -> None:
    pictures = np.zeros((30, 3, 2), np.int64)
    pictures[:, :, 0] = (80, 100, 100)
    pictures[7, :, 1] = (0, 100, 0)  # found nowhere: with IoU 0 it halves the mean
    found = interval(means(drawn(pictures.reshape(30, 6), range(30)).reshape(3, 2, DRAWS))["mean_iou"])
    score = means(pictures.sum(axis=0))["mean_iou"]
    assert found is not None
    assert found[0] <= score <= found[1]


def test_an_interval_holds_95_percent_of_the_draws() -> None:
    found = interval(np.append(np.arange(1001.0), np.nan))
    assert found == pytest.approx((25, 975))
    assert interval(np.full(5, np.nan)) is None


def test_the_true_score_lies_in_about_95_percent_of_the_intervals() -> None:
    """Pictures of different difficulty; the true score is that of very many of them."""
    random = np.random.default_rng(2)

    def pictures(count: int) -> np.ndarray:
        pixels = random.integers(200, 2000, (count, 2))
        right = random.binomial(pixels, random.beta(8, 2, (count, 2)))
        wrong = pixels - right
        return np.stack([right, pixels, right + wrong[:, ::-1]], axis=1)  # [count, 3, K]

    truth = means(pictures(200_000).sum(axis=0))["mean_iou"]
    inside = []
    for _ in range(300):
        sample = pictures(60).reshape(60, 6)
        found = interval(means(drawn(sample, range(60)).reshape(3, 2, DRAWS))["mean_iou"])
        assert found is not None
        inside.append(found[0] <= truth <= found[1])
    assert 0.90 <= np.mean(inside) <= 0.98
