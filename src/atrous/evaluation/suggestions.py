"""What the scores suggest to do next: a few rules, each of which says its figure and what to try."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from atrous.evaluation.report import EvaluationReport

RARE = 0.03
"""Share of the true pixels below which a class is rare."""
BEHIND = 0.15
"""How far below the mean IoU a class is called low."""
GAP = 0.1
"""By which pictures of train are better, from which on a network knows them by heart."""
OVERCONFIDENT = 0.02
"""By which confidence exceeds accuracy, on average."""
UNLEARNED = 0.5
"""Mean IoU on pictures of train below which a network has not even learned these."""
LOOSE = 0.08
"""By which boundary IoU lies below IoU."""
SMALL = 0.6
"""Of the mean IoU of large areas, what small ones have at least where they are no trouble."""
DOMINANT = 0.15
"""Share of all wrong pixels that one confusion has where it stands out."""
UNSURE = 0.04
"""Width of the interval of the mean IoU, from which on small differences between networks say nothing."""
MOST_NAMED = 5
"""Classes in one sentence."""
BY_PIXEL = ("cross_entropy", "focal", "ohem")
"""Losses that can weigh the pixels of a class."""
WEIGHTS_AND_DICE = (
    "loss={kind: sum, terms: [{loss: {kind: cross_entropy, class_weights: balanced}}, {loss: {kind: dice}}]}"
)


class Suggestion(NamedTuple):
    """Something to try."""

    sentence: str
    """What the scores say, with the figure, and why that helps."""
    attempt: str
    """A key of the recipe with its value, or an option or a command of `atrous`."""


def suggestions(
    report: EvaluationReport, train_iou: float | None = None, recipe: Mapping[str, Any] | None = None
) -> list[Suggestion]:
    """What the scores of a report suggest, in an order that begins with what is wrong with the learning.

    Args:
        report: The scores.
        train_iou: The mean IoU on pictures of train, 0..1; None if it is not known.
        recipe: By which the network was trained, as far as it is known: what it has already is not suggested.

    Returns:
        Nothing if no rule applies.
    """
    losses = _losses(recipe or {})
    found = [_learning(report, train_iou), _rare(report, losses), _confusion(report), _small(report)]
    found += [_boundaries(report), _calibration(report, losses), _interval(report)]
    return [each for each in found if each is not None]


def _learning(report: EvaluationReport, train_iou: float | None) -> Suggestion | None:
    here = report.scores.mean_iou
    if train_iou is None or (train_iou - here < GAP and train_iou >= UNLEARNED):
        return None
    if train_iou - here < GAP:
        return Suggestion(
            f"Even on pictures of train the mean IoU is {_percent(train_iou)} and no more, on these {_percent(here)}: "
            f"the network has not learned enough. Train longer, or start from weights that know pictures already.",
            "training.steps=STEPS training.start_from=MODEL",
        )
    return Suggestion(
        f"On pictures of train the mean IoU is {_percent(train_iou)}, on these {_percent(here)}: the network knows "
        f"some of its pictures by heart. More labelled pictures help most, then a stronger augmentation.",
        "augmentation.scale='[0.5, 2.0]' augmentation.brightness=0.3 augmentation.contrast=0.3",
    )


def _losses(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The losses of a recipe, those of a sum each by itself; cross-entropy where it names none."""
    loss = recipe.get("loss") or {}
    parts = [term["loss"] for term in loss["terms"]] if loss.get("kind") == "sum" else [loss]
    return [{"kind": "cross_entropy", **part} for part in parts]


def _rare(report: EvaluationReport, losses: list[Mapping[str, Any]]) -> Suggestion | None:
    total = sum(each.true_pixels for each in report.scores.classes)
    low = [
        f"{each.name} (IoU {_percent(each.iou)}, {_percent(each.true_pixels / total)} of the pixels)"
        for each in sorted(report.scores.classes, key=lambda each: each.iou or 0)
        if each.iou is not None and 0 < each.true_pixels < RARE * total and each.iou < report.scores.mean_iou - BEHIND
    ]
    if not low:
        return None
    words = f"Rare classes stay far below the mean IoU of {_percent(report.scores.mean_iou)}: {_listed(low)}. "
    if all(loss.get("class_weights", "none") == "none" for loss in losses):
        words += "Let their pixels weigh more in the loss; frequent classes may lose a little."
        weighs = len(losses) == 1 and losses[0]["kind"] in BY_PIXEL
        return Suggestion(words, "loss.class_weights=balanced" if weighs else f"'{WEIGHTS_AND_DICE}'")
    words += "Their pixels weigh more in the loss already: more pictures that show them help most"
    if any(loss["kind"] in ("dice", "lovasz") for loss in losses):
        return Suggestion(f"{words}.", "atrous data stats DATASET")
    return Suggestion(
        f"{words}, then Dice, to which every class of a picture counts the same.", f"'{WEIGHTS_AND_DICE}'"
    )


def _confusion(report: EvaluationReport) -> Suggestion | None:
    wrong = np.array(report.confusion)
    np.fill_diagonal(wrong, 0)
    truth, predicted = divmod(int(wrong.argmax()), len(wrong))
    alike = 2 / max(2, len(wrong) * (len(wrong) - 1))  # twice what each would have if all were as frequent
    if wrong[truth, predicted] < max(DOMINANT, alike) * max(1, wrong.sum()) or alike == 1:
        return None
    names = report.labels.names
    return Suggestion(
        f"{_percent(wrong[truth, predicted] / wrong.sum())} of all wrong pixels are {names[truth]} that is called "
        f"{names[predicted]}. Look whether the labels agree about it among themselves, and correct those that do not.",
        "atrous data suspects MODEL DATASET",
    )


def _small(report: EvaluationReport) -> Suggestion | None:
    sizes = [(each, each.mean_iou) for each in report.sizes if each.mean_iou is not None]
    if len(sizes) < 2 or report.protocol.output_stride <= 8 or sizes[0][1] >= SMALL * sizes[-1][1]:
        return None
    (small, of_small), (large, of_large) = sizes[0], sizes[-1]
    return Suggestion(
        f"Areas of less than {small.below:,} pixels have a mean IoU of {_percent(of_small)}, {large.name} ones "
        f"{_percent(of_large)}. A finer grid of features sees more of them, at two to four times the time.",
        "network.output_stride=8",
    )


def _boundaries(report: EvaluationReport) -> Suggestion | None:
    scores = report.scores
    near = scores.mean_boundary_iou
    if near is None or scores.mean_iou - near < LOOSE or report.protocol.crf is not None:
        return None
    return Suggestion(
        f"Along outlines the IoU is {_percent(near)}, in the whole {_percent(scores.mean_iou)}: outlines are "
        f"loose. A dense CRF moves them onto the edges of the picture; score it before you rely on it.",
        "atrous evaluate MODEL DATASET --crf",
    )


def _calibration(report: EvaluationReport, losses: list[Mapping[str, Any]]) -> Suggestion | None:
    bins = [each for each in report.calibration.bins if each.pixels] if report.calibration else []
    pixels = sum(each.pixels for each in bins)
    confidence = sum((each.confidence or 0) * each.pixels for each in bins) / max(1, pixels)
    accuracy = sum((each.accuracy or 0) * each.pixels for each in bins) / max(1, pixels)
    if confidence - accuracy < OVERCONFIDENT or any(loss.get("label_smoothing") for loss in losses):
        return None
    smoothed = len(losses) == 1 and losses[0]["kind"] == "cross_entropy"
    return Suggestion(
        f"The network is {_percent(confidence)} sure on average and right in {_percent(accuracy)} of the pixels: do "
        f"not take its probabilities at their word. Smoothed labels make it less sure.",
        "loss.label_smoothing=0.1" if smoothed else "'loss={kind: cross_entropy, label_smoothing: 0.1}'",
    )


def _interval(report: EvaluationReport) -> Suggestion | None:
    interval = report.scores.intervals.get("mean_iou")
    if interval is None or interval[1] - interval[0] < UNSURE:
        return None
    pictures = report.protocol.pictures
    return Suggestion(
        f"{pictures:,} pictures leave the mean IoU between {_percent(interval[0])} and {_percent(interval[1])}. "
        f"Compare two networks picture by picture, which says more than the difference of their scores.",
        "atrous compare A/report.json B/report.json",
    )


def _listed(entries: list[str]) -> str:
    more = len(entries) - MOST_NAMED
    return ", ".join(entries[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
