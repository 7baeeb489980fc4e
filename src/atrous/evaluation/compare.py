"""Which of two networks is better on the same pictures, and whether the difference could be chance.

Both are scored in each draw of one bootstrap over the pictures. As both saw the same pictures in each draw, what makes
a picture hard for either falls out of the difference: a paired bootstrap tells far smaller differences than two
intervals side by side.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.errors import ConfigError
from atrous.evaluation.bootstrap import Draws, interval
from atrous.evaluation.metrics import iou, mean, means
from atrous.evaluation.report import EvaluationReport, Interval, read_picture_line

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Choice = Literal["scales", "flip", "output_stride", "precision", "crf"]

HEADLINES = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "mean_dice": "mean Dice",
}


class Difference(NamedTuple):
    """A score of two networks, each 0..1; None where a network has none."""

    name: str
    a: float | None
    b: float | None
    difference: float | None
    """b - a."""
    interval: Interval | None
    """In which the difference lies with a confidence of 95 %."""

    @property
    def certain(self) -> bool:
        """Whether zero lies outside of the interval."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


class PictureChange(NamedTuple):
    """A picture that both saw: the mean IoU of this picture alone."""

    name: str
    a: float
    b: float


class Comparison(NamedTuple):
    """Two networks on the same pictures."""

    a: str
    b: str
    pictures: int
    headlines: list[Difference]
    """The mean IoU first."""
    classes: list[Difference]
    """The IoU of each class, in the order of the label space."""
    changes: list[PictureChange]
    """Every picture with a score, the largest change first."""

    @property
    def verdict(self) -> str:
        """The difference in mean IoU, as a sentence."""
        score = self.headlines[0]
        if score.difference is None or score.interval is None:
            return f"{self.pictures} picture: too few to say which is better."
        low, high = score.interval
        if not score.certain:
            return (
                f"No difference can be told on {self.pictures} pictures: B - A is {_signed(score.difference)} points "
                f"of mean IoU [{_signed(low)}, {_signed(high)}]."
            )
        better, sign = ("B", 1) if score.difference > 0 else ("A", -1)
        low, high = sorted((sign * low, sign * high))
        return (
            f"{better} is better by {100 * abs(score.difference):.2f} points of mean IoU "
            f"[{100 * low:.2f}, {100 * high:.2f}] on {self.pictures} pictures."
        )


def compare(a: EvaluationReport, b: EvaluationReport, differing: Sequence[Choice] = ()) -> Comparison:
    """Compare two networks picture by picture.

    Args:
        a: The report of the one.
        b: The report of the other, of the same protocol.
        differing: In which of its choices the two protocols may differ, as these are what is compared.

    Raises:
        ConfigError: If the protocols, the classes or the pictures differ, or a report knows no single pictures.
    """
    _require_one_protocol(a, b, differing)
    counted_a, counted_b = _count(a), _count(b)
    sums = counted_a.total, counted_b.total, counted_a.draws, counted_b.draws
    single, together = [iou(counts) for counts in sums], [means(counts) for counts in sums]
    several = len(a.pictures) > 1
    return Comparison(
        a=a.model,
        b=b.model,
        pictures=len(a.pictures),
        headlines=[_difference(words, [each[key] for each in together], several) for key, words in HEADLINES.items()],
        classes=[_difference(name, [each[k] for each in single], several) for k, name in enumerate(a.labels.names)],
        changes=_changes(list(a.pictures), counted_a.scores, counted_b.scores),
    )


def _difference(name: str, scores: Sequence[Floats], several: bool) -> Difference:
    """Of the scores of A and B, and of both in each draw."""
    a, b = (None if np.isnan(value) else float(value) for value in scores[:2])
    if a is None or b is None:
        return Difference(name, a, b, None, None)
    return Difference(name, a, b, b - a, interval(scores[3] - scores[2]) if several else None)


class _Counted(NamedTuple):
    """All pictures of a report, in memory that grows with their number alone, and not with the classes."""

    total: Counts
    """int64 [3, K]."""
    draws: Counts
    """int64 [3, K, DRAWS]."""
    scores: list[float]
    """The mean IoU of each picture; NaN where all of it is ignored."""


def _count(report: EvaluationReport) -> _Counted:
    shape = 3, report.labels.num_classes
    total, draws, scores = np.zeros(shape, np.int64), Draws(shape[0] * shape[1]), []
    for place, (name, line) in enumerate(report.pictures.items()):
        counts = _counts(report, name, line)
        total += counts
        draws.add(place, counts.ravel())
        scores.append(float(mean(iou(counts))))
    return _Counted(total, draws.sums.reshape(*shape, -1), scores)


def _counts(report: EvaluationReport, name: str, line: str) -> Counts:
    """int64 [3, K] of one picture."""
    counts = np.zeros((3, report.labels.num_classes), np.int64)
    try:
        for label, *pixels in read_picture_line(line):
            counts[:, label] = pixels
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ConfigError(
            f"The report of {report.model} is damaged: {line!r} does not say which pixels of {name} were found; "
            f"evaluate the network again."
        ) from None
    return counts


def _changes(names: Sequence[str], scores_a: Sequence[float], scores_b: Sequence[float]) -> list[PictureChange]:
    changes = [PictureChange(*each) for each in zip(names, scores_a, scores_b, strict=True)]
    known = [change for change in changes if not np.isnan(change.b - change.a)]
    return sorted(known, key=lambda change: -abs(change.b - change.a))


def _require_one_protocol(a: EvaluationReport, b: EvaluationReport, differing: Sequence[Choice]) -> None:
    for name, words in _FACTS.items():
        ours, theirs = getattr(a.protocol, name), getattr(b.protocol, name)
        if ours == theirs or name in differing:
            continue
        remedy = "evaluate both in one way"
        if name in _CHOICES:
            remedy += f", or say with --differing {name} that this is what you compare"
        raise ConfigError(
            f"The two reports cannot be compared, as their {words} differ: {_short(ours)} in A and {_short(theirs)} "
            f"in B; {remedy}."
        )
    if a.labels.names != b.labels.names:
        raise ConfigError("The two reports cannot be compared, as their classes differ: evaluate both on one data set.")
    for side, report in (("A", a), ("B", b)):
        if not report.pictures:
            raise ConfigError(
                f"Report {side} ({report.model}) does not say what was found in each picture, as older ones do not: "
                f"evaluate the network again."
            )
    if list(a.pictures) != list(b.pictures):
        raise ConfigError("The two reports cannot be compared, as their pictures differ: evaluate both on one split.")


_DATA = {
    "dataset": "data sets",
    "split": "splits",
    "pictures": "numbers of pictures",
    "fingerprint": "files (fingerprints)",
    "sizes": "sizes",
    "ignore": "ignored pixels",
}
_CHOICES = {
    "scales": "scales",
    "flip": "flips",
    "output_stride": "output strides",
    "precision": "precisions",
    "crf": "dense CRFs",
}
_FACTS = {**_DATA, **_CHOICES}


def _short(fact: object) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if fact is None:
        return "none"
    text = ", ".join(f"{each:g}" for each in fact) if isinstance(fact, tuple) else str(fact)
    return text if len(text) < 60 else f"{text[:57]}..."


def _signed(value: float) -> str:
    return f"{100 * value:+.2f}"
