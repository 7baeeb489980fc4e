"""Time the confusion matrix against those of others, on one core.

Usage: python benchmarks/confusion.py MASK [--rounds R]
MASK is a mask of a real picture; natural pairs are it and itself moved by three pixels, random pairs are noise. All
count the same pixels by one thread and in turns, each as often as fits into some milliseconds; counted is the time of
the processor, since others may use it, too.
torchmetrics and scikit-learn take part where they are installed. A matrix that differs is an error.
"""

import argparse
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from atrous.evaluation.confusion import ConfusionMatrix
from atrous.images import read_mask
from atrous.labels import LabelSpace, Mask

try:
    from torchmetrics.classification import MulticlassConfusionMatrix  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    MulticlassConfusionMatrix = None

TURN = 0.02
"""Seconds at least, in which a program counts the same pixels again and again."""
CASES = ((21, (513, 513)), (150, (1024, 2048)), (182, (1024, 2048)))
Matrix = NDArray[np.int64]
Counter = Callable[[Mask, Mask, int], Matrix]


@cache
def labels_of(classes: int) -> LabelSpace:
    """Classes with any names."""
    return LabelSpace.from_names([f"class {index}" for index in range(classes)])


def by_atrous(truth: Mask, prediction: Mask, classes: int) -> Matrix:
    """Ours, refusals included."""
    confusion = ConfusionMatrix(labels_of(classes))
    confusion.add(truth, prediction)
    return confusion.matrix


def by_numpy(truth: Mask, prediction: Mask, classes: int) -> Matrix:
    """What most repositories do."""
    known = truth < classes
    keys = classes * truth[known].astype(int) + prediction[known]
    return np.bincount(keys, minlength=classes**2).reshape(classes, classes)


def by_torch(truth: Mask, prediction: Mask, classes: int) -> Matrix:
    """The same, in torch."""
    one, other = torch.from_numpy(truth), torch.from_numpy(prediction)
    known = one < classes
    keys = classes * one[known].long() + other[known].long()
    return np.asarray(torch.bincount(keys, minlength=classes**2).reshape(classes, classes).numpy())


def by_scikit_learn(truth: Mask, prediction: Mask, classes: int) -> Matrix:
    """It sorts the labels."""
    known = truth < classes
    return np.asarray(confusion_matrix(truth[known], prediction[known], labels=np.arange(classes)))


def by_torchmetrics(truth: Mask, prediction: Mask, classes: int) -> Matrix:
    """As a loop of evaluation calls it, on int64."""
    metric = MulticlassConfusionMatrix(classes, ignore_index=255)
    metric.update(torch.from_numpy(prediction).long(), torch.from_numpy(truth).long())
    return np.asarray(metric.compute().numpy())


def natural(mask: Mask, size: tuple[int, int], classes: int) -> tuple[Mask, Mask]:
    """A real mask, its labels spread over all classes, and the same a little aside."""
    height, width = size
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    truth = (small.astype(int) * 7 % classes).astype(np.uint8)
    return truth, np.roll(truth, 3, axis=1)


def random_pair(size: tuple[int, int], classes: int) -> tuple[Mask, Mask]:
    """Noise."""
    random = np.random.default_rng(0)
    return random.integers(0, classes, size, np.uint8), random.integers(0, classes, size, np.uint8)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mask", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    counters: dict[str, Counter] = {"atrous": by_atrous, "numpy": by_numpy, "torch": by_torch}
    counters["scikit-learn"] = by_scikit_learn
    if MulticlassConfusionMatrix:
        counters["torchmetrics"] = by_torchmetrics
    mask = read_mask(arguments.mask)
    print("| classes | size | kind |", " | ".join(f"{name}, Mpx/s" for name in counters), "|")
    print("|---|---|---|", "---|" * len(counters), sep="")
    for classes, size in CASES:
        for kind, pair in (("natural", natural(mask, size, classes)), ("random", random_pair(size, classes))):
            rates = measure(counters, *pair, classes, arguments.rounds)
            cells = [f"{rate:.0f} ({rates[0] / rate:.0f}x)" for rate in rates]
            print(f"| {classes} | {size[0]}x{size[1]} | {kind} |", " | ".join(cells), "|", flush=True)


def measure(counters: dict[str, Counter], truth: Mask, prediction: Mask, classes: int, rounds: int) -> list[float]:
    """Millions of pixels per second of each, the median over the rounds."""
    expected = by_atrous(truth, prediction, classes)
    times: dict[str, list[float]] = {name: [] for name in counters}
    for _ in range(rounds):
        for name, count in counters.items():
            if not np.array_equal(count(truth, prediction, classes), expected):
                raise SystemExit(f"{name} counts differently")
            times[name].append(seconds_of_a_count(partial(count, truth, prediction, classes)))
    return [truth.size / 1e6 / median(spent) for spent in times.values()]


def seconds_of_a_count(count: Callable[[], Matrix]) -> float:
    """Seconds of the processor, the mean of the calls of one turn."""
    calls, began = 0, time.process_time()
    while (spent := time.process_time() - began) < TURN:
        count()
        calls += 1
    return spent / calls


if __name__ == "__main__":
    main()
