"""The trimap curve and the reliability of probabilities, made ready to draw."""

from collections.abc import Sequence
from typing import NamedTuple

from atrous.evaluation.curves import Curve, Plot, plot
from atrous.evaluation.report import Calibration, TrimapPoint


class Bar(NamedTuple):
    """A bin of confidence in a square from 0 to 1, origin at the top left."""

    left: float
    width: float
    top: float
    """Of the bar, which is as high as the bin is right."""
    wanted: float
    """Where its top would be if it were right as often as it is confident."""
    weight: float
    """How strongly it is drawn, 0..1: faint where hardly a pixel lies."""
    words: str


def trimap_plot(points: Sequence[TrimapPoint]) -> Plot | None:
    """Mean IoU in percent over the width of the band along the boundaries; None if nothing lies there."""
    values = [None if point.mean_iou is None else 100 * point.mean_iou for point in points]
    return plot(Curve("Trimap", "%", [point.width for point in points], values))


def reliability(calibration: Calibration) -> list[Bar]:
    """A bar for each bin in which pixels lie."""
    most = max(each.pixels for each in calibration.bins)
    total = sum(each.pixels for each in calibration.bins)
    return [
        Bar(
            left=each.start,
            width=each.stop - each.start,
            top=1 - each.accuracy,
            wanted=1 - each.confidence,
            weight=0.35 + 0.65 * (each.pixels / most) ** 0.5,
            words=f"confidence {100 * each.confidence:.0f}%: right in {100 * each.accuracy:.0f}% "
            f"({100 * each.pixels / total:.1f}% of the pixels)",
        )
        for each in calibration.bins
        if each.confidence is not None and each.accuracy is not None
    ]
