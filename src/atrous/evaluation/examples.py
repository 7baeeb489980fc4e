"""Pictures to look at beside the scores: spread evenly over a split, or those that tell most about a network."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from atrous.data.samples import SegmentationDataset
from atrous.evaluation.example_cards import Example
from atrous.evaluation.report import ClassPixels, EvaluationReport, read_picture_line
from atrous.inference.exported import ExportedPredictor
from atrous.inference.predictor import Predictor

STANDINGS = ("Best", "Median", "Worst")


class Choice(NamedTuple):
    """A picture worth a look."""

    number: int
    """Its place in the split, from 0."""
    standing: str
    """Why it was chosen, and its rank by its own mean IoU."""


def predict_examples(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, count: int
) -> list[Example]:
    """Predict up to `count` pictures of a split, the first and the last among them.

    Raises:
        ImageError, MaskError: If a file is unreadable.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    return _predicted(predictor, dataset, [Choice(int(index), "") for index in chosen])


def predict_telling(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, report: EvaluationReport, count: int
) -> list[Example]:
    """Predict the pictures that `telling_pictures` chooses.

    Args:
        predictor: That was scored.
        dataset: The split that it was scored on.
        report: The scores of both.
        count: How many, a third of them for classes that would not be seen otherwise.

    Returns:
        At most `count`; spread evenly over the split if the report does not say what is in its pictures.

    Raises:
        ImageError, MaskError: If a file is unreadable.
    """
    if len(report.pictures) != len(dataset):
        return predict_examples(predictor, dataset, count)
    return _predicted(predictor, dataset, telling_pictures(report, count))


def telling_pictures(report: EvaluationReport, count: int) -> list[Choice]:
    """The best, the median and the worst by their own mean IoU, then one for each class that these lack.

    Args:
        report: Its lines of pictures, in the order of the split, are all that is looked at.
        count: A third of them at most are for classes.

    Returns:
        The best first, then those in the middle, then the worst beginning with the very worst; no picture twice.
        Pictures without a scored pixel are none of them.
    """
    contents = [read_picture_line(line) for line in report.pictures.values()]
    scores = {index: picture_iou(content) for index, content in enumerate(contents) if content}
    ranked = sorted(scores, key=lambda index: -scores[index])
    rank = {index: place for place, index in enumerate(ranked, 1)}
    chosen = dict(_standing(ranked, count - count // 3 if len(ranked) > count else count))
    chosen |= dict(_unseen(contents, chosen, report.labels.names, count - len(chosen)))
    return [Choice(index, f"{why}, rank {rank[index]} of {len(ranked)}") for index, why in chosen.items()]


def picture_iou(content: Sequence[ClassPixels]) -> float:
    """The mean IoU of one picture, over the classes that occur in its truth or its prediction."""
    return float(np.mean([each.found / (each.true + each.predicted - each.found) for each in content]))


def _standing(ranked: Sequence[int], count: int) -> Iterator[tuple[int, str]]:
    """(index, why) of a third each: the best, those in the middle, and the worst beginning with the last."""
    third = min(count, len(ranked)) // 3
    if not third:
        yield from ((index, "Best") for index in ranked[:count])
        return
    middle = (len(ranked) - third) // 2
    groups = ranked[:third], ranked[middle : middle + third], ranked[-third:][::-1]
    for group, standing in zip(groups, STANDINGS, strict=True):
        yield from ((index, standing) for index in group)


def _unseen(
    contents: Sequence[Sequence[ClassPixels]], chosen: dict[int, str], names: Sequence[str], count: int
) -> Iterator[tuple[int, str]]:
    """(index, why) of the picture with most of a class, for each class whose truth is in none of those chosen."""
    seen = {each.label for index in chosen for each in contents[index] if each.true}
    most: dict[int, tuple[int, int]] = {}
    for index, content in enumerate(contents):
        for each in content:
            if each.true and each.label not in seen:
                most[each.label] = max(most.get(each.label, (0, 0)), (each.true, index))
    unseen = list(dict.fromkeys(most[label][1] for label in sorted(most)))
    for index in unseen[: max(0, count)]:
        yield index, "Most " + " and ".join(names[label] for label in sorted(most) if most[label][1] == index)


def _predicted(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, choices: Sequence[Choice]
) -> list[Example]:
    samples = [(dataset[index], standing) for index, standing in choices]
    return [Example(s.name, s.image, s.mask, predictor(s.image).mask, standing) for s, standing in samples]
