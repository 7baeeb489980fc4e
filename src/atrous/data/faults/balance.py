"""Classes that a split does not show, or shows so rarely that the others drown them."""

from collections.abc import Iterator, Sequence

import numpy as np

from atrous.data.faults.finding import Finding
from atrous.data.faults.survey import Survey

EXTREME = 100.0
"""The median frequency of the classes, or the largest, as a multiple of the rarest."""


def judge_balance(survey: Survey) -> Iterator[Finding]:
    """Yield the classes that are missing from splits, those that are never trained, and how unequal they are."""
    yield from _never_trained(survey)
    for split, dataset in enumerate(survey.datasets):
        absent = [name for value, name in enumerate(dataset.labels.names) if not survey.pixels[split][value]]
        if absent and len(absent) < dataset.labels.num_classes:
            yield Finding(
                kind="absent-class",
                split=dataset.split,
                files=(),
                count=len(absent),
                sentence=f"No mask of {dataset.split} shows {_listed(absent)}.",
                repair="add pictures that show them, or split anew with `atrous data split`",
            )
        yield from _imbalance(survey, split)


def balancing_weights(pixels: Sequence[int], pixels_beside: Sequence[int]) -> list[float | None]:
    """The weight of each class in the loss that makes up for its rarity; None for a class that does not occur.

    Source: median frequency balancing, Eigen and Fergus 2015, arXiv:1411.4734, section 6.3.2: the frequency of a
    class is its pixels divided by all pixels of the pictures that show it; its weight is the median frequency
    divided by its own.
    """
    frequencies = [count / beside if count else None for count, beside in zip(pixels, pixels_beside, strict=True)]
    present = [frequency for frequency in frequencies if frequency]
    middle = float(np.median(present)) if present else 0.0
    return [middle / frequency if frequency else None for frequency in frequencies]


def _never_trained(survey: Survey) -> Iterator[Finding]:
    splits = {dataset.split: number for number, dataset in enumerate(survey.datasets)}
    if "train" not in splits:
        return
    train = splits.pop("train")
    labels = survey.datasets[train].labels
    if not sum(survey.pixels[train].values()):
        return
    for name, number in splits.items():
        lost = [
            labels.names[value]
            for value in range(labels.num_classes)
            if survey.pixels[number][value] and not survey.pixels[train][value]
        ]
        if lost:
            yield Finding(
                kind="never-trained",
                split=name,
                files=(),
                count=len(lost),
                sentence=f"{name} shows {_listed(lost)}, of which train has not one pixel: they score 0 for certain.",
                repair="split anew with `atrous data split`, or take the classes out",
            )


def _imbalance(survey: Survey, split: int) -> Iterator[Finding]:
    dataset = survey.datasets[split]
    count = dataset.labels.num_classes
    pixels = [survey.pixels[split][value] for value in range(count)]
    present = [number for number in pixels if number]
    if dataset.split != "train" or len(present) < 2 or max(present) < EXTREME * min(present):
        return
    beside = [survey.pixels_beside[split][value] for value in range(count)]
    weights = balancing_weights(pixels, beside)
    rarest, largest = pixels.index(min(present)), pixels.index(max(present))
    listed = ", ".join(f"{name} {_short(weight)}" for name, weight in zip(dataset.labels.names, weights, strict=True))
    yield Finding(
        kind="imbalance",
        split=dataset.split,
        files=(),
        value=rarest,
        count=min(present),
        sentence=f"In {dataset.split} the class {dataset.labels.names[largest]} has {max(present) / min(present):,.0f} "
        f"times as many pixels as {dataset.labels.names[rarest]}.",
        repair=f"weights that would balance them: {listed}",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more classes" if len(names) > 12 else "")


def _short(weight: float | None) -> str:
    return "–" if weight is None else f"{weight:.3g}"
