"""What is counted near boundaries, by size and of probabilities, against brute force and what others wrote."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from atrous.crf import DenseCRFConfig
from atrous.evaluation.areas import SIZE_LIMITS, SIZE_NAMES, size_of_area
from atrous.evaluation.boundaries import band_width, boundary_band, boundary_distance
from atrous.evaluation.counts import (
    BOUNDARY,
    CALIBRATION_STEP,
    SIZES,
    TRIMAP,
    TRIMAP_WIDTHS,
    WHOLE,
    count_calibration,
    count_picture,
    count_planes,
)
from atrous.evaluation.measures import by_size, calibration, trimap
from atrous.evaluation.metrics import iou, scores_of
from atrous.inference.prediction import LabelledPrediction, Prediction
from atrous.inference.views import Answer
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import LABELS, noise

WIDE = LabelSpace.from_names([f"class {k}" for k in range(300)])


def blobs(size: tuple[int, int], seed: int, labels: LabelSpace = LABELS, ignored: bool = True) -> Mask:
    """Areas with round edges, some of them ignored."""
    random = np.random.default_rng(seed)
    fields = random.standard_normal((labels.num_classes + ignored, *size))
    mask = np.stack([ndimage.gaussian_filter(field, 4) for field in fields]).argmax(axis=0)
    blob: Mask = np.where(mask == labels.num_classes, labels.ignore_index, mask).astype(labels.mask_dtype)
    return blob


def predicted(image_size: tuple[int, int], mask: Mask, labels: LabelSpace = LABELS) -> LabelledPrediction:
    return LabelledPrediction(np.zeros((*image_size, 3), np.uint8), mask, labels)


def counted(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> list[int]:
    return [int((truth & prediction).sum()), int(truth.sum()), int(prediction.sum())]


@pytest.mark.parametrize("seed", range(3))
def test_boundary_iou_is_that_of_eroded_masks_class_by_class(seed: int) -> None:
    truth, prediction = blobs((60, 45), seed), blobs((60, 45), seed + 10, ignored=False)
    planes, width = count_planes(truth, prediction, LABELS), band_width((60, 45))
    assert width == 2  # 0.02 * 75 = 1.5
    prediction[truth == 255] = 255
    for label in range(3):
        bands = [mask & (rind := ~eroded(mask, width)) & rind for mask in (truth == label, prediction == label)]
        assert planes[BOUNDARY, :, label].tolist() == counted(*bands)


def eroded(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Erosion, pixel by pixel of a square, as if nothing lay beyond the picture."""
    padded = np.pad(mask, width)
    height, length = mask.shape
    squares = [padded[y : y + height, x : x + length] for y in range(2 * width + 1) for x in range(2 * width + 1)]
    inner: NDArray[np.bool_] = np.logical_and.reduce(squares)
    return inner


@pytest.mark.parametrize("width", [1, 3, 12])
def test_the_band_of_all_classes_is_what_erosion_takes_from_each(width: int) -> None:
    mask = blobs((50, 70), 5)
    band = boundary_band(mask, width)
    for label in np.unique(mask):
        own = mask == label
        assert (band[own] == ~eroded(own, width)[own]).all()


def test_the_distance_to_a_boundary_is_that_to_the_nearest_pixel_at_an_edge() -> None:
    mask = blobs((23, 31), 3)
    edges = np.zeros(mask.shape, bool)
    edges[1:] |= mask[1:] != mask[:-1]
    edges[:-1] |= mask[1:] != mask[:-1]
    edges[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    edges[:, :-1] |= mask[:, 1:] != mask[:, :-1]
    np.testing.assert_allclose(boundary_distance(mask), 1 + ndimage.distance_transform_edt(~edges), rtol=1e-6)


def test_a_mask_of_one_label_has_no_boundary_to_be_near_to() -> None:
    assert np.isinf(boundary_distance(np.zeros((5, 7), np.uint8))).all()
    planes = count_planes(np.zeros((5, 7), np.uint8), np.ones((5, 7), np.uint8), LABELS)
    assert not planes[TRIMAP].any()


@pytest.mark.parametrize("labels", [LABELS, WIDE], ids=["8 bits", "16 bits"])
def test_the_trimap_counts_each_pixel_at_its_distance(labels: LabelSpace) -> None:
    truth, prediction = blobs((90, 120), 1, labels), blobs((90, 120), 2, labels, ignored=False)
    planes, distance = count_planes(truth, prediction, labels), boundary_distance(truth)
    for place, width in enumerate(TRIMAP_WIDTHS):
        near = (distance <= width) & (truth < labels.num_classes)
        for label in range(0, labels.num_classes, 7):
            within = planes[TRIMAP][: place + 1, :, label].sum(axis=0)
            assert within.tolist() == counted((truth == label) & near, (prediction == label) & near)


def test_an_error_at_the_boundary_costs_more_the_closer_one_looks() -> None:
    truth, prediction = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    truth[:, 50:], prediction[:, 48:] = 1, 1
    curve = [point.mean_iou for point in trimap(count_planes(truth, prediction, LABELS), None)]
    assert curve[0] == pytest.approx((0 + 100 / 200) / 2)  # within one pixel: column 49 is wrong and column 50 right
    assert curve[1] == pytest.approx((0 + 200 / 400) / 2)
    assert curve[2] == pytest.approx((2 / 4 + 4 / 6) / 2)  # columns 46 to 53
    assert curve == sorted(curve, key=lambda value: value or 0)


@pytest.mark.parametrize("seed", range(3))
def test_areas_are_those_of_scipy(seed: int) -> None:
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (200, 150), p=[0.4, 0.35, 0.2, 0.05])
    mask = cv2.medianBlur(mask, 3) if seed else mask
    sizes = np.zeros(mask.shape, int)
    for label in np.unique(mask):
        areas, _ = ndimage.label(mask == label, np.ones((3, 3)))
        pixels = np.bincount(areas.ravel())[areas]
        sizes = np.where(mask == label, np.searchsorted(SIZE_LIMITS, pixels, side="right"), sizes)
    assert len(np.unique(sizes)) > 1
    np.testing.assert_array_equal(size_of_area(mask), sizes)


def test_areas_of_any_shape_have_their_size() -> None:
    for shape in ((1, 1), (1, 2000), (2000, 1), (32, 32)):
        expected = int(np.searchsorted(SIZE_LIMITS, np.prod(shape), side="right"))
        assert (size_of_area(np.zeros(shape, np.uint16)) == expected).all()
    spiral = np.zeros((101, 101), np.uint8)
    spiral[::2] = 1
    spiral[1::4, 0] = spiral[3::4, -1] = 1
    assert (size_of_area(spiral)[spiral == 1] == 1).all()


def test_an_area_has_its_size_by_hand() -> None:
    truth, prediction = np.zeros((100, 200), np.uint8), np.zeros((100, 200), np.uint8)
    truth[10:20, 10:20] = 1  # small: found by half
    prediction[10:20, 15:20] = 1
    truth[30:80, 30:80] = 1  # medium: all of it is found
    prediction[30:80, 30:80] = 1
    prediction[90:95, 100:110] = 1  # an invention of 50 pixels
    small, medium, _ = (counts[:, 1].tolist() for counts in count_planes(truth, prediction, LABELS)[SIZES])
    assert small == [50, 100, 100]
    assert medium == [2500, 2500, 2500]
    scores = by_size(count_planes(truth, prediction, LABELS), None)
    assert [score.name for score in scores] == list(SIZE_NAMES)
    assert scores[0].pixels == 100
    # What of the small area was not found is ground, predicted as part of the large ground: no area of it is small.
    assert scores[0].mean_iou == pytest.approx(50 / 150)


@pytest.mark.parametrize("seed", range(2))
def test_the_sizes_together_are_the_whole(seed: int) -> None:
    truth, prediction = blobs((130, 150), seed), blobs((130, 150), seed + 5, ignored=False)
    planes = count_picture(truth, predicted((130, 150), prediction), LABELS).planes
    np.testing.assert_array_equal(planes[SIZES].sum(axis=0), planes[WHOLE])


def test_a_prediction_without_an_error_has_all_points_everywhere() -> None:
    truth = blobs((120, 150), 0)
    perfect = np.where(truth == 255, 1, truth).astype(np.uint8)
    planes = count_planes(truth, perfect, LABELS)
    for counts in (planes[BOUNDARY], *planes[TRIMAP], *planes[SIZES]):
        assert np.nanmin(iou(counts), initial=1) == 1


@pytest.mark.parametrize("seed", range(2))
def test_precision_and_recall_are_scikit_learns(seed: int) -> None:
    truth, prediction = blobs((50, 60), seed), blobs((50, 60), seed + 3, ignored=False)
    counts = count_picture(truth, predicted((50, 60), prediction), LABELS)
    known = truth != 255
    pair = truth[known], prediction[known]
    np.testing.assert_array_equal(counts.confusion, confusion_matrix(*pair, labels=[0, 1, 2]))
    precision, recall, dice, _ = precision_recall_fscore_support(*pair, labels=[0, 1, 2], zero_division=0)
    classes = scores_of(counts.planes[WHOLE], LABELS).classes
    assert [each.precision for each in classes] == pytest.approx(precision.tolist())
    assert [each.recall for each in classes] == pytest.approx(recall.tolist())
    assert [each.dice for each in classes] == pytest.approx(dice.tolist())


def answer(size: tuple[int, int], logits: tuple[int, int], seed: int) -> Prediction:
    values = 3 * np.random.default_rng(seed).standard_normal((3, *logits))
    return Prediction(noise(size, seed), values.astype(np.float32), LABELS)


def test_the_calibration_error_is_that_of_the_probabilities() -> None:
    truth, prediction = blobs((61, 83), 4), answer((61, 83), (16, 21), 4)
    found = calibration(count_calibration(truth, prediction, LABELS), None)
    assert found is not None
    step = CALIBRATION_STEP
    seen = (truth != 255)[::step, ::step]
    confidence = prediction.probabilities.max(axis=0)[::step, ::step][seen]
    right = (prediction.mask == truth)[::step, ::step][seen]
    error = 0.0
    for place, each in enumerate(found.bins):
        inside = (confidence > place / 15) & (confidence <= (place + 1) / 15)
        assert each.pixels == inside.sum()
        if inside.any():
            assert (each.confidence, each.accuracy) == pytest.approx((confidence[inside].mean(), right[inside].mean()))
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert found.error == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("crf", [None, DenseCRFConfig(iterations=2)], ids=["plain", "refined"])
def test_the_confidence_of_several_views_is_that_of_their_average(crf: DenseCRFConfig | None) -> None:
    plain, other = answer((21, 26), (6, 7), 1), np.random.default_rng(2).standard_normal((3, 9, 10)).astype(np.float32)
    views = [Answer(other, flipped=True), Answer(other)]
    prediction = Prediction(plain.image, np.asarray(other[:, :6, :7]), LABELS, crf=crf, others=views)
    expected = prediction.probabilities.max(axis=0)[::4, ::4]
    found = prediction.confidence(4)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_labels_without_probabilities_have_no_calibration() -> None:
    truth = blobs((20, 20), 0, ignored=False)
    bins = count_calibration(truth, predicted((20, 20), truth), LABELS)
    assert calibration(bins, None) is None


@pytest.mark.parametrize("step", [1, 3])
def test_a_confidence_is_the_largest_probability(step: int) -> None:
    prediction = answer((30, 41), (8, 11), 0)
    expected = prediction.probabilities.max(axis=0)[::step, ::step]
    np.testing.assert_array_equal(prediction.confidence(step), expected)
