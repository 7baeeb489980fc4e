"""Scores from a confusion matrix.

With n[i, j] pixels of true class i that were predicted as j, t[i] = sum_j n[i, j] true pixels, p[j] = sum_i n[i, j]
predicted ones and N pixels in all (Long et al. 2015, arXiv:1411.4038, section 5):

    pixel accuracy          sum_i n[i, i] / N
    accuracy of class i     n[i, i] / t[i]
    IoU of class i          n[i, i] / (t[i] + p[i] - n[i, i])
    Dice of class i         2 n[i, i] / (t[i] + p[i])
    frequency-weighted IoU  sum_i t[i] IoU[i] / N

The means run over the classes for which a score exists: IoU and Dice where a class occurs in truth or prediction,
accuracy where it occurs in truth.
"""

import numpy as np
from numpy.typing import NDArray

from atrous.evaluation.report import ClassScore, Scores
from atrous.labels import LabelSpace

Floats = NDArray[np.float64]


def scores(matrix: NDArray[np.int64], labels: LabelSpace) -> Scores:
    """All scores of a confusion matrix, int64 [K, K]; each 0..1.

    Raises:
        ValueError: If the matrix counts no pixel.
    """
    total = int(matrix.sum())
    if total == 0:
        raise ValueError("no pixel was counted: every true label is the ignore value")
    correct = np.diag(matrix)
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    iou = _share(correct, true + predicted - correct)
    dice = _share(2 * correct, true + predicted)
    accuracy = _share(correct, true)
    absent = np.isnan(iou)
    return Scores(
        pixel_accuracy=int(correct.sum()) / total,
        mean_accuracy=float(np.nanmean(accuracy)),
        mean_iou=float(np.nanmean(iou)),
        frequency_weighted_iou=float(np.nansum(true * iou) / total),
        mean_dice=float(np.nanmean(dice)),
        classes=tuple(
            ClassScore(
                name=name,
                iou=_or_none(iou[k]),
                dice=_or_none(dice[k]),
                accuracy=_or_none(accuracy[k]),
                true_pixels=int(true[k]),
                predicted_pixels=int(predicted[k]),
            )
            for k, name in enumerate(labels.names)
        ),
        absent=tuple(name for name, missing in zip(labels.names, absent, strict=True) if missing),
    )


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares


def _or_none(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
