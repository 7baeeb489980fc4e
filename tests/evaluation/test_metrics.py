import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, jaccard_score

from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.labels import LabelSpace
from tests.tiny_data import LABELS

FIVE = LabelSpace.from_names(["a", "b", "c", "d", "e"])


@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 5, (20, 30)).astype(np.uint8)
    prediction = np.where(random.random(truth.shape) < 0.6, truth, random.integers(0, 5, truth.shape)).astype(np.uint8)
    confusion = ConfusionMatrix(FIVE)
    confusion.add(truth, prediction)
    found = scores(confusion.matrix, FIVE)
    pair = truth.ravel(), prediction.ravel()
    assert found.pixel_accuracy == pytest.approx(accuracy_score(*pair))
    assert found.mean_accuracy == pytest.approx(balanced_accuracy_score(*pair))
    assert found.mean_iou == pytest.approx(jaccard_score(*pair, average="macro"))
    assert found.frequency_weighted_iou == pytest.approx(jaccard_score(*pair, average="weighted"))
    assert found.mean_dice == pytest.approx(f1_score(*pair, average="macro"))
    assert [score.iou for score in found.classes] == pytest.approx(jaccard_score(*pair, average=None).tolist())
    assert [score.dice for score in found.classes] == pytest.approx(f1_score(*pair, average=None).tolist())
    assert not found.absent


def test_scores_by_hand() -> None:
    found = scores(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]]), LABELS)
    assert found.pixel_accuracy == pytest.approx(7 / 10)
    assert [score.iou for score in found.classes] == [pytest.approx(3 / 6), pytest.approx(4 / 7), None]
    assert [score.dice for score in found.classes] == [pytest.approx(6 / 9), pytest.approx(8 / 11), None]
    assert [score.accuracy for score in found.classes] == [pytest.approx(3 / 4), pytest.approx(4 / 6), None]
    assert [score.true_pixels for score in found.classes] == [4, 6, 0]
    assert [score.predicted_pixels for score in found.classes] == [5, 5, 0]
    assert found.mean_iou == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert found.mean_accuracy == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert found.frequency_weighted_iou == pytest.approx((4 * 3 / 6 + 6 * 4 / 7) / 10)
    assert found.absent == ("dog",)


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    found = scores(np.array([[3, 0, 1], [0, 0, 0], [0, 0, 0]]), LABELS)
    assert found.classes[2].iou == 0
    assert found.classes[2].accuracy is None
    assert found.mean_iou == pytest.approx((3 / 4 + 0) / 2)
    assert found.mean_accuracy == pytest.approx(3 / 4)
    assert found.absent == ("cat",)


def test_the_score_of_a_split_is_not_the_mean_of_its_pictures() -> None:
    pictures = [np.diag([90, 0, 0]), np.array([[0, 10, 0], [0, 0, 0], [0, 0, 0]])]
    whole = scores(np.sum(pictures, axis=0), LABELS)
    assert whole.classes[0].iou == pytest.approx(0.9)
    assert whole.mean_iou == pytest.approx(0.45)


def test_a_perfect_and_a_hopeless_prediction() -> None:
    assert scores(np.diag([1, 2, 3]), LABELS).mean_iou == 1
    hopeless = scores(np.array([[0, 5, 0], [5, 0, 0], [0, 0, 0]]), LABELS)
    assert hopeless.mean_iou == hopeless.pixel_accuracy == hopeless.mean_dice == 0


def test_counts_near_the_end_of_64_bits_neither_wrap_nor_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(np.diag([2**60, 2**60, 0]), LABELS)
    assert found.mean_iou == found.pixel_accuracy == found.mean_dice == 1


def test_no_pixel_has_no_score() -> None:
    with pytest.raises(ValueError, match="no pixel was counted"):
        scores(np.zeros((3, 3), np.int64), LABELS)
