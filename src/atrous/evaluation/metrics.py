"""Scores from sums of counts.

With n[i, j] pixels of true class i that were predicted as j, f[i] = n[i, i] found pixels, t[i] = sum_j n[i, j] true
ones, p[j] = sum_i n[i, j] predicted ones and N pixels in all (Long et al. 2015, arXiv:1411.4038, section 5):

    pixel accuracy                     sum_i f[i] / N
    accuracy (or recall) of class i    f[i] / t[i]
    precision of class i               f[i] / p[i]
    IoU of class i                     f[i] / (t[i] + p[i] - f[i])
    Dice of class i                    2 f[i] / (t[i] + p[i])
    frequency-weighted IoU             sum_i t[i] IoU[i] / N

The means run over the classes for which a score exists: IoU and Dice where a class occurs in truth or prediction,
accuracy where it occurs in truth. docs/metrics.md says what is counted for the other measures; their formulas are the
same.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from atrous.evaluation.bootstrap import interval
from atrous.evaluation.report import ClassScore, Interval, Scores
from atrous.labels import LabelSpace

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def scores(matrix: Counts, labels: LabelSpace) -> Scores:
    """All scores of a confusion matrix, int64 [K, K]; each 0..1.

    Raises:
        ValueError: If the matrix counts no pixel.
    """
    return scores_of(np.stack([np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)]), labels)


def scores_of(
    counts: Counts,
    labels: LabelSpace,
    boundary: Counts | None = None,
    draws: Counts | None = None,
    boundary_draws: Counts | None = None,
) -> Scores:
    """All scores of pixels found, true and predicted; each 0..1.

    Args:
        counts: int64 [3, K].
        labels: The classes.
        boundary: The same, near the boundaries alone.
        draws: int64 [3, K, DRAWS]: the counts in each draw of a bootstrap, for intervals.
        boundary_draws: The same, near the boundaries alone.

    Raises:
        ValueError: If no pixel is counted.
    """
    if not counts[1].any():
        raise ValueError("no pixel was counted: every true label is the ignore value")
    single, headline = by_class(counts, boundary), means(counts, boundary)
    drawn_single = {} if draws is None else by_class(draws, boundary_draws)
    drawn_means = {} if draws is None else means(draws, boundary_draws)
    return Scores(
        **{name: _or_none(value) for name, value in headline.items()},
        intervals=_intervals(drawn_means, headline),
        classes=tuple(
            ClassScore(
                name=name,
                **{score: _or_none(values[k]) for score, values in single.items()},
                true_pixels=int(counts[1, k]),
                predicted_pixels=int(counts[2, k]),
                intervals=_intervals(
                    {score: values[k] for score, values in drawn_single.items()},
                    {score: values[k] for score, values in single.items()},
                ),
            )
            for k, name in enumerate(labels.names)
        ),
        absent=tuple(name for name, pixels in zip(labels.names, counts.sum(axis=0), strict=True) if not pixels),
    )


def by_class(counts: Counts, boundary: Counts | None = None) -> dict[str, Floats]:
    """The scores of each class, [K, ...] of counts [3, K, ...]; NaN where there is none."""
    found, true, predicted = counts
    accuracy = share(found, true)
    found_scores = {
        "iou": iou(counts),
        "dice": share(2 * found, true + predicted),
        "accuracy": accuracy,
        "precision": share(found, predicted),
        "recall": accuracy,
    }
    return found_scores if boundary is None else {**found_scores, "boundary_iou": iou(boundary)}


def means(counts: Counts, boundary: Counts | None = None) -> dict[str, Floats]:
    """The scores of all classes together, [...] of counts [3, K, ...]; NaN where there is none."""
    found, true, _ = counts
    single, total = by_class(counts, boundary), true.sum(axis=0)
    weighted = np.nansum(true * single["iou"], axis=0)
    together = {
        "pixel_accuracy": share(found.sum(axis=0), total),
        "mean_accuracy": mean(single["accuracy"]),
        "mean_iou": mean(single["iou"]),
        "frequency_weighted_iou": share(weighted, total),
        "mean_dice": mean(single["dice"]),
    }
    return together if boundary is None else {**together, "mean_boundary_iou": mean(single["boundary_iou"])}


def iou(counts: Counts) -> Floats:
    """[K, ...] of counts [3, K, ...]; NaN where a class occurs neither in truth nor in prediction."""
    found, true, predicted = counts
    return share(found, true + predicted - found)


def mean(values: Floats) -> Floats:
    """[...] of [K, ...]: the mean over the classes that have a score; NaN if none has."""
    known = ~np.isnan(values)
    return share(np.where(known, values, 0).sum(axis=0), known.sum(axis=0))


def share(part: Counts | Floats, whole: Counts) -> Floats:
    """Part by whole; NaN where there is no whole."""
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return shares


def _intervals(drawn: Mapping[str, Floats], found: Mapping[str, Floats]) -> dict[str, Interval]:
    """The intervals of all scores that exist."""
    known = {name: interval(values) for name, values in drawn.items() if not np.isnan(found[name])}
    return {name: each for name, each in known.items() if each is not None}


def _or_none(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
