import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from atrous.data.stray_labels import stray_labels
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import LABELS, random_mask

MANY = LabelSpace.from_names([f"class {index}" for index in range(300)])


def classes_only(size: tuple[int, int], seed: int, labels: LabelSpace = LABELS) -> Mask:
    values: Mask = np.random.default_rng(seed).integers(0, labels.num_classes, size).astype(labels.mask_dtype)
    return values


@pytest.mark.parametrize("labels", [LABELS, MANY], ids=["3 classes", "300 classes"])
def test_it_agrees_with_scikit_learn(labels: LabelSpace) -> None:
    truth, prediction = random_mask((20, 30), 0, labels), classes_only((20, 30), 1, labels)
    confusion = ConfusionMatrix(labels)
    assert confusion.add(truth, prediction) == 0
    counted = truth != labels.ignore_index
    expected = confusion_matrix(truth[counted], prediction[counted], labels=np.arange(labels.num_classes))
    np.testing.assert_array_equal(confusion.matrix, expected)


def test_rows_are_truth_and_columns_are_predictions() -> None:
    confusion = ConfusionMatrix(LABELS)
    confusion.add(np.array([[0, 0, 0, 2, 255]], np.uint8), np.array([[0, 1, 1, 2, 1]], np.uint8))
    assert confusion.matrix.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_pictures_of_any_size_add_up_to_one_matrix() -> None:
    parts, whole = ConfusionMatrix(LABELS), ConfusionMatrix(LABELS)
    truth, prediction = random_mask((12, 30), 0), classes_only((12, 30), 1)
    for columns in (slice(0, 7), slice(7, 8), slice(8, 30)):
        parts.add(truth[:, columns], prediction[:, columns])
    whole.add(truth, prediction)
    np.testing.assert_array_equal(parts.matrix, whole.matrix)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_stray_labels_are_counted_apart(dtype: type[np.uint8 | np.uint16]) -> None:
    truth: Mask = np.array([[0, 1, 3, 254, 255, 2, 3]], dtype)
    confusion = ConfusionMatrix(LABELS)
    assert confusion.add(truth, np.zeros((1, 7), np.uint8)) == 3
    assert confusion.matrix.sum() == 3
    assert sum(stray_labels(truth, LABELS).values()) == 3


def test_255_is_a_class_like_others_where_there_are_300() -> None:
    confusion = ConfusionMatrix(MANY)
    truth = np.array([[255, 65535, 300]], np.uint16)
    assert confusion.add(truth, np.array([[255, 0, 0]], np.uint16)) == 1
    assert confusion.matrix[255, 255] == confusion.matrix.sum() == 1
    assert confusion.add(np.array([[255]], np.uint8), np.array([[299]], np.uint16)) == 0
    assert confusion.matrix[255, 299] == 1


def test_a_count_beyond_32_bits_is_exact() -> None:
    confusion = ConfusionMatrix(LABELS)
    confusion.matrix[0, 0] = 2**33
    confusion.add(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    assert confusion.matrix.dtype == np.int64
    assert confusion.matrix[0, 0] == 2**33 + 4


@pytest.mark.parametrize(
    ("truth", "prediction", "words"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), "must have one size"),
        (np.zeros((2, 3), np.uint8), np.zeros(6, np.uint8), "must have one size"),
        (np.zeros((1, 1), np.uint8), np.full((1, 1), 3, np.uint8), "holds label 3; there are 3 classes"),
        (np.zeros((1, 1), np.uint8), np.full((1, 1), 255, np.uint8), "holds label 255"),
        (np.full((1, 1), -1, np.int64), np.zeros((1, 1), np.uint8), "unsigned"),
        (np.zeros((1, 1), np.uint8), np.full((1, 1), -1, np.int64), "unsigned"),
        (np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.float32), "unsigned"),
    ],
)
def test_what_cannot_be_counted_is_refused_and_counts_nothing(truth: Mask, prediction: Mask, words: str) -> None:
    confusion = ConfusionMatrix(LABELS)
    with pytest.raises(ValueError, match=words):
        confusion.add(truth, prediction)
    assert not confusion.matrix.any()


def test_masks_may_lie_anyhow_in_memory() -> None:
    truth, prediction = random_mask((8, 9), 0), classes_only((8, 9), 1)
    plain, turned = ConfusionMatrix(LABELS), ConfusionMatrix(LABELS)
    plain.add(truth, prediction)
    turned.add(np.asfortranarray(truth)[::-1], prediction[::-1])
    np.testing.assert_array_equal(plain.matrix, turned.matrix)


def natural(size: tuple[int, int], seed: int, labels: LabelSpace, *, strays: bool) -> Mask:
    """Areas of all sizes, some of them ignored and some of no class."""
    random = np.random.default_rng(seed)
    values = np.concatenate([np.arange(labels.num_classes), [labels.ignore_index] * strays, [254] * strays])
    areas = random.integers(0, len(values), 400)
    rows = np.repeat(values[areas], random.integers(1, 90, 400))
    mask: Mask = np.resize(rows, size).astype(labels.mask_dtype)
    return mask


@pytest.mark.parametrize("offset", [0, 1, 5])
@pytest.mark.parametrize("columns", [1, 7, 8, 63, 257])
@pytest.mark.parametrize("labels", [LABELS, MANY], ids=["3 classes", "300 classes"])
def test_areas_count_as_their_pixels_do(labels: LabelSpace, columns: int, offset: int) -> None:
    truth = natural((41, columns), 0, labels, strays=True).ravel()[offset:]
    prediction = natural((41, columns), 1, labels, strays=False).ravel()[offset:]
    expected = np.zeros((labels.num_classes, labels.num_classes), np.int64)
    known = truth < labels.num_classes
    np.add.at(expected, (truth[known], prediction[known]), 1)
    confusion = ConfusionMatrix(labels)
    assert confusion.add(truth, prediction) == (~known & (truth != labels.ignore_index)).sum()
    np.testing.assert_array_equal(confusion.matrix, expected)


def test_pictures_too_large_for_one_call_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.evaluation.confusion.AT_ONCE", 1000)
    truth, prediction = random_mask((90, 77), 0), classes_only((90, 77), 1)
    parts, whole = ConfusionMatrix(LABELS), ConfusionMatrix(LABELS)
    parts.add(truth, prediction)
    monkeypatch.undo()
    whole.add(truth, prediction)
    np.testing.assert_array_equal(parts.matrix, whole.matrix)
