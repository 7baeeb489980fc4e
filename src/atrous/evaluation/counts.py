"""What one picture adds to the measures: whole numbers, so that pictures, processes and bootstrap draws just add up.

There are several *planes*, each of which counts for every class how many pixels are truly of it and were found, how
many are truly of it, and how many were predicted to be. They differ in where they look: at the whole picture, near
boundaries, in large areas. Every score is a function of such sums (`metrics.py`).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.evaluation.areas import SIZE_NAMES, size_of_area
from atrous.evaluation.boundaries import band_width, boundary_band, boundary_distance
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.inference.prediction import Prediction
from atrous.labels import LabelSpace, Mask

Counts = NDArray[np.int64]

TRIMAP_WIDTHS = (1, 2, 4, 6, 8, 10, 15, 20, 30, 40)
"""Pixels from a true boundary; a plane counts those that are too far for the width before."""
WHOLE, BOUNDARY = 0, 1
TRIMAP = slice(2, 2 + len(TRIMAP_WIDTHS))
SIZES = slice(TRIMAP.stop, TRIMAP.stop + len(SIZE_NAMES))
PLANES = SIZES.stop

FOUND, TRUE, PREDICTED = range(3)

BINS = 15
"""Of confidence, as in Guo et al. 2017 (arXiv:1706.04599)."""
CONFIDENCE_UNITS = 2**20
"""Confidences are summed as whole numbers of such parts, so that no order of the pictures changes a digit."""
CALIBRATION_STEP = 4
"""Confidence is counted in every so many rows and columns: between them it hardly changes, and costs its time."""

BAND_OF = np.searchsorted(TRIMAP_WIDTHS, np.arange(TRIMAP_WIDTHS[-1] + 2)).astype(np.uint8)
"""The plane of the trimap, by the distance rounded up; the last one is no plane."""


class PictureCounts(NamedTuple):
    """What is counted in one picture."""

    confusion: Counts
    """int64 [K, K]: true class (row), predicted class (column)."""
    planes: Counts
    """int64 [PLANES, 3, K]: pixels found, true, predicted."""
    calibration: Counts
    """int64 [BINS, 3]: pixels by their largest probability; how many are right; the sum of these probabilities."""
    strays: int
    """Pixels whose true label is no class, and not the ignore value either."""


def count_picture(truth: Mask, prediction: Prediction, labels: LabelSpace) -> PictureCounts:
    """Count a picture.

    Args:
        truth: uint8 or uint16 [H, W].
        prediction: Of the same picture.
        labels: The classes of both.

    Raises:
        ValueError: If the sizes differ, or a predicted label is no class.
    """
    confusion = ConfusionMatrix(labels)
    strays = confusion.add(truth, prediction.mask)
    matrix = confusion.matrix
    planes = count_planes(truth, prediction.mask, labels)
    planes[WHOLE] = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return PictureCounts(matrix, planes, count_calibration(truth, prediction, labels), strays)


def count_planes(truth: Mask, predicted: Mask, labels: LabelSpace) -> Counts:
    """int64 [PLANES, 3, K]: all planes but `WHOLE`, which follows from the confusion matrix."""
    ignored = truth >= labels.num_classes
    # An ignored area has the same edges in both, so that a prediction without an error has all points.
    predicted = np.where(ignored, labels.mask_dtype(labels.ignore_index), predicted)
    width = band_width((truth.shape[0], truth.shape[1]))
    planes = np.zeros((PLANES, 3, labels.num_classes), np.int64)
    _count_near(
        truth,
        predicted,
        boundary_band(truth, width),
        boundary_band(predicted, width),
        boundary_distance(truth),
        BAND_OF,
        planes[BOUNDARY : TRIMAP.stop],
    )
    _count_sizes(truth, predicted, size_of_area(truth), size_of_area(predicted), planes[SIZES])
    return planes


def count_calibration(truth: Mask, prediction: Prediction, labels: LabelSpace) -> Counts:
    """int64 [BINS, 3], from every so many rows and columns; nothing where a prediction has labels alone."""
    bins = np.zeros((BINS, 3), np.int64)
    confidence = prediction.confidence(CALIBRATION_STEP)
    if confidence is None:
        return bins
    truth, predicted = (mask[::CALIBRATION_STEP, ::CALIBRATION_STEP] for mask in (truth, prediction.mask))
    counted = truth < labels.num_classes
    values, right = confidence[counted].astype(np.float64), (truth == predicted)[counted]
    places = np.clip(np.ceil(values * BINS).astype(np.int64) - 1, 0, BINS - 1)
    parts = np.rint(values * CONFIDENCE_UNITS)  # their sums are whole numbers that float64 holds exactly
    for column, weights in enumerate((None, right, parts)):
        bins[:, column] = np.bincount(places, weights, BINS)
    return bins


@njit(cache=True, nogil=True)
def _count_near(truth, predicted, true_band, predicted_band, distance, band_of, planes):  # type: ignore[no-untyped-def]  # numba
    """Count what lies near boundaries: first the plane of boundary IoU, then those of the trimap."""
    num_classes, last, farthest = planes.shape[2], planes.shape[0] - 1, np.float32(band_of.size - 2)
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            of_truth, of_prediction, near = true_band[y, x], predicted_band[y, x], distance[y, x] <= farthest
            label = truth[y, x]
            if not (of_truth or of_prediction or near) or label >= num_classes:
                continue
            found = predicted[y, x]
            planes[0, TRUE, label] += of_truth
            planes[0, PREDICTED, found] += of_prediction
            planes[0, FOUND, label] += of_truth and of_prediction and label == found
            if near:
                band = 1 + band_of[int(np.ceil(distance[y, x]))]
                if band <= last:
                    planes[band, TRUE, label] += 1
                    planes[band, PREDICTED, found] += 1
                    planes[band, FOUND, label] += label == found


@njit(cache=True, nogil=True)
def _count_sizes(truth, predicted, true_sizes, predicted_sizes, planes):  # type: ignore[no-untyped-def]  # numba
    """A pixel belongs to the size of its true area; a wrong one also to the size of the area that was predicted."""
    num_classes = planes.shape[2]
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            label, found = truth[y, x], predicted[y, x]
            if label >= num_classes:
                continue
            size = true_sizes[y, x]
            planes[size, TRUE, label] += 1
            if label == found:
                planes[size, FOUND, label] += 1
                planes[size, PREDICTED, label] += 1
            else:
                planes[predicted_sizes[y, x], PREDICTED, found] += 1
