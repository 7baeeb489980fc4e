"""The measures beside the scores of classes: along boundaries, by the size of areas, and of the probabilities."""

import numpy as np
from numpy.typing import NDArray

from atrous.evaluation.areas import SIZE_LIMITS, SIZE_NAMES
from atrous.evaluation.bootstrap import interval
from atrous.evaluation.counts import BINS, CONFIDENCE_UNITS, SIZES, TRIMAP, TRIMAP_WIDTHS
from atrous.evaluation.metrics import iou, mean, share
from atrous.evaluation.report import Calibration, Interval, ReliabilityBin, SizeScore, TrimapPoint

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def trimap(planes: Counts, draws: Counts | None) -> tuple[TrimapPoint, ...]:
    """The mean IoU within each width of a true boundary, as in DeepLab's figures (arXiv:1606.00915, section 4.1).

    Args:
        planes: int64 [PLANES, 3, K].
        draws: int64 [PLANES, 3, K, DRAWS], for intervals.
    """
    points = []
    for place, width in enumerate(TRIMAP_WIDTHS):
        planes_within = slice(TRIMAP.start, TRIMAP.start + place + 1)
        counts = planes[planes_within].sum(axis=0)
        drawn = None if draws is None else draws[planes_within].sum(axis=0)
        points.append(
            TrimapPoint(width=width, mean_iou=_mean_iou(counts), interval=_interval(drawn), pixels=int(counts[1].sum()))
        )
    return tuple(points)


def by_size(planes: Counts, draws: Counts | None) -> tuple[SizeScore, ...]:
    """The mean IoU of small, medium and large areas, from the same arrays."""
    limits = (0, *SIZE_LIMITS)
    return tuple(
        SizeScore(
            name=name,
            at_least=limits[place],
            below=limits[place + 1] if place + 1 < len(limits) else None,
            mean_iou=_mean_iou(counts),
            interval=None if draws is None else _interval(draws[SIZES.start + place]),
            pixels=int(counts[1].sum()),
        )
        for place, (name, counts) in enumerate(zip(SIZE_NAMES, planes[SIZES], strict=True))
    )


def calibration(bins: Counts, draws: Counts | None) -> Calibration | None:
    """The reliability of probabilities, from int64 [BINS, 3] and [BINS, 3, DRAWS]; None if none was counted."""
    if not bins.any():
        return None
    accuracy, confidence = share(bins[:, 1], bins[:, 0]), share(bins[:, 2] / CONFIDENCE_UNITS, bins[:, 0])
    return Calibration(
        error=float(calibration_error(bins)),
        interval=None if draws is None else interval(calibration_error(draws)),
        bins=tuple(
            ReliabilityBin(
                start=place / BINS,
                stop=(place + 1) / BINS,
                pixels=int(bins[place, 0]),
                confidence=float(confidence[place]) if bins[place, 0] else None,
                accuracy=float(accuracy[place]) if bins[place, 0] else None,
            )
            for place in range(BINS)
        ),
    )


def calibration_error(bins: Counts) -> Floats:
    """[...] of int64 [BINS, 3, ...] (Guo et al. 2017, arXiv:1706.04599, equation 3)."""
    pixels, right, confidence = bins[:, 0], bins[:, 1], bins[:, 2] / CONFIDENCE_UNITS
    # |right / pixels - confidence / pixels|, weighted by pixels
    return share(np.abs(right - confidence).sum(axis=0), pixels.sum(axis=0))


def _mean_iou(counts: Counts) -> float | None:
    value = mean(iou(counts))
    return None if np.isnan(value) else float(value)


def _interval(draws: Counts | None) -> Interval | None:
    return None if draws is None else interval(mean(iou(draws)))
