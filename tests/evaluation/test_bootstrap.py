"""Intervals that hold what they say, whoever counts the pictures and in whatever order."""

import pickle

import numpy as np
import pytest

from atrous.evaluation.bootstrap import DRAWS, Draws, interval, times_drawn
from atrous.evaluation.metrics import means


def drawn(pictures: np.ndarray, numbers: range) -> np.ndarray:
    draws = Draws(pictures.shape[1])
    for number in numbers:
        draws.add(number, pictures[number])
    return draws.sums


def test_the_sums_of_a_draw_are_those_of_the_pictures_it_drew() -> None:
    pictures = np.random.default_rng(0).integers(0, 50, (20, 6)) * np.array([1, 1, 0, 1, 1, 1])
    times = np.stack([times_drawn(number) for number in range(20)])
    np.testing.assert_array_equal(drawn(pictures, range(20)), pictures.T @ times)


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


def test_pictures_are_drawn_as_often_as_a_poisson_number_says() -> None:
    times = np.stack([times_drawn(number) for number in range(2000)])
    assert times.shape == (2000, DRAWS)
    shares = np.bincount(times.ravel(), minlength=5)[:5] / times.size
    np.testing.assert_allclose(shares, np.exp(-1) / np.array([1, 1, 2, 6, 24]), atol=2e-3)
    assert times.mean() == pytest.approx(1, abs=2e-3)
    assert abs(np.mean((times[0] - 1) * (times[1] - 1))) < 0.15
    assert times.sum(axis=0).var() / len(times) == pytest.approx(1, abs=0.15)  # draws do not go together


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
