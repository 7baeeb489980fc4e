"""`atrous data stats`: what a data set consists of, in numbers: sizes, classes, colours, boundaries, objects."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.config import Config
from atrous.data.faults.balance import balancing_weights
from atrous.data.processes import of_all_samples
from atrous.data.samples import SegmentationDataset, require_known_labels
from atrous.files import write_text
from atrous.labels import LabelSpace, Mask
from atrous.progress import Progress, Silent, track

OCTAVES = 32  # of object sizes: no picture has an object of 2**32 pixels
Counts = NDArray[np.int64]


class ClassStatistics(Config):
    """One class in one split."""

    name: str
    pixels: int
    share: float
    """Of all pixels that are not ignored, 0..1."""
    pictures: int
    """That show the class."""
    boundary: int
    """Sides of its pixels on whose other side is a pixel of another value; the border of a picture does not count."""
    objects: int
    """Connected components; pixels that touch at a corner belong together."""
    mean_object: float | None
    """Pixels of an object; None without one."""
    largest_object: int
    object_sizes: tuple[int, ...]
    """How many objects have from 2**k up to, but not including, 2**(k + 1) pixels, for k from 0."""
    weight: float | None
    """In the loss, to make up for the class's rarity, by median frequency; None for a class that does not occur."""


class SizeCount(Config):
    """How many pictures have a size."""

    height: int
    width: int
    pictures: int


class SplitStatistics(Config):
    """One split."""

    split: str
    pictures: int
    sizes: tuple[SizeCount, ...]
    """Most frequent first."""
    mean: tuple[float, float, float]
    """Of red, green and blue over all pixels, 0..1."""
    deviation: tuple[float, float, float]
    """The standard deviation of the same."""
    histograms: tuple[tuple[int, ...], ...]
    """How many pixels have each of the 256 values of red, green and blue."""
    ignored: float
    """The share of all pixels, 0..1."""
    classes: tuple[ClassStatistics, ...]
    together: tuple[tuple[int, ...], ...]
    """How many pictures show both classes, [K][K]; on the diagonal, how many show the class."""


class DatasetStatistics(Config):
    """All splits of a data set."""

    title: str
    splits: tuple[SplitStatistics, ...]


class Counted(NamedTuple):
    """What is counted in one sample."""

    size: tuple[int, int]
    colors: Counts
    """[3, 256]: the histogram of each channel."""
    pixels: Counts
    """[K]"""
    ignored: int
    boundary: Counts
    """[K]"""
    objects: Counts
    """[K, OCTAVES]: how many objects there are of each size."""
    largest: Counts
    """[K]"""


def statistics(
    datasets: Sequence[SegmentationDataset], progress: Progress | None = None, workers: int = 0
) -> DatasetStatistics:
    """Count everything in one pass over all samples.

    Args:
        datasets: The splits, of one label space.
        progress: Where the progress is shown.
        workers: Processes beside this one; 0 does all in this one.

    Raises:
        ImageError, MaskError: If a file cannot be read, or a mask holds a value of no class.
    """
    sums = [_Sum(dataset) for dataset in datasets]
    total = sum(map(len, datasets))
    samples = of_all_samples(datasets, count_sample, workers)
    for split, counted in track(samples, progress or Silent(), "Counting", total):
        sums[split].add(counted)
    return DatasetStatistics(title=datasets[0].title, splits=tuple(found.result() for found in sums))


def count_sample(dataset: SegmentationDataset, index: int) -> Counted:
    """Count all that one sample shows.

    Raises:
        ImageError, MaskError: If a file cannot be read, or the mask holds a value of no class.
    """
    sample = dataset[index]
    require_known_labels(dataset, index, sample)
    image, mask, labels = sample.image, sample.mask, dataset.labels
    colors = np.stack([np.bincount(image[..., channel].ravel(), minlength=256) for channel in range(3)])
    pixels = np.bincount(mask.ravel(), minlength=labels.ignore_index + 1)
    objects, largest = _objects(mask, labels)
    return Counted(
        (image.shape[0], image.shape[1]), colors, pixels[: labels.num_classes], int(pixels[labels.ignore_index]),
        boundary_lengths(mask, labels), objects, largest,
    )  # fmt: skip


def boundary_lengths(mask: Mask, labels: LabelSpace) -> Counts:
    """Return, for each class [K], the sides of its pixels that face a pixel of another value, or the ignore value."""
    lengths = np.zeros(labels.ignore_index + 1, np.int64)
    for one, other in ((mask[:, :-1], mask[:, 1:]), (mask[:-1], mask[1:])):
        differs = one != other
        for side in (one, other):
            lengths += np.bincount(side[differs], minlength=len(lengths))
    return lengths[: labels.num_classes]


def _objects(mask: Mask, labels: LabelSpace) -> tuple[Counts, Counts]:
    """How many objects of each class have each octave of sizes [K, OCTAVES], and the largest of each class [K]."""
    octaves = np.zeros((labels.num_classes, OCTAVES), np.int64)
    largest = np.zeros(labels.num_classes, np.int64)
    for value in np.unique(mask):
        if value < labels.num_classes:
            _, _, facts, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8), connectivity=8)
            sizes = facts[1:, cv2.CC_STAT_AREA].astype(np.int64)  # the first is what lies around them
            octaves[value] = np.bincount(np.frexp(sizes)[1] - 1, minlength=OCTAVES)
            largest[value] = sizes.max()
    return octaves, largest


class _Sum:
    """The sum of what was counted in the samples of one split."""

    def __init__(self, dataset: SegmentationDataset) -> None:
        self.split, self.labels = dataset.split, dataset.labels
        count = dataset.labels.num_classes
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.colors = np.zeros((3, 256), np.int64)
        self.pixels, self.beside, self.boundary, self.largest = (np.zeros(count, np.int64) for _ in range(4))
        self.objects = np.zeros((count, OCTAVES), np.int64)
        self.together = np.zeros((count, count), np.int64)
        self.ignored = 0

    def add(self, counted: Counted) -> None:
        shown = counted.pixels > 0
        self.sizes[counted.size] += 1
        self.colors += counted.colors
        self.pixels += counted.pixels
        self.beside += shown * (counted.pixels.sum() + counted.ignored)
        self.boundary += counted.boundary
        self.objects += counted.objects
        self.largest = np.maximum(self.largest, counted.largest)
        self.together += shown[:, None] & shown[None, :]
        self.ignored += counted.ignored

    def result(self) -> SplitStatistics:
        means, deviations = zip(*map(_mean_and_deviation, self.colors), strict=True)
        sizes = sorted(self.sizes.items(), key=lambda entry: (-entry[1], entry[0]))
        everything = int(self.pixels.sum()) + self.ignored
        weights = balancing_weights(self.pixels.tolist(), self.beside.tolist())
        return SplitStatistics(
            split=self.split,
            pictures=self.sizes.total(),
            sizes=tuple(SizeCount(height=h, width=w, pictures=count) for (h, w), count in sizes),
            mean=means,
            deviation=deviations,
            histograms=tuple(tuple(channel) for channel in self.colors.tolist()),
            ignored=self.ignored / everything if everything else 0.0,
            classes=tuple(self._class(value, weight) for value, weight in enumerate(weights)),
            together=tuple(tuple(row) for row in self.together.tolist()),
        )

    def _class(self, value: int, weight: float | None) -> ClassStatistics:
        octaves, pixels = self.objects[value], int(self.pixels[value])
        objects = int(octaves.sum())
        return ClassStatistics(
            name=self.labels.names[value],
            pixels=pixels,
            share=pixels / max(1, int(self.pixels.sum())),
            pictures=int(self.together[value, value]),
            boundary=int(self.boundary[value]),
            objects=objects,
            mean_object=pixels / objects if objects else None,
            largest_object=int(self.largest[value]),
            object_sizes=tuple(np.trim_zeros(octaves, "b").tolist()),
            weight=weight,
        )


def _mean_and_deviation(histogram: Counts) -> tuple[float, float]:
    """Of values 0..255, scaled to 0..1; exact, for the sums are of whole numbers."""
    values, count = np.arange(256), max(1, int(histogram.sum()))
    total, squares = int((histogram * values).sum()), int((histogram * values * values).sum())
    variance = (count * squares - total * total) / (count * count)
    return total / count / 255, variance**0.5 / 255


def write_statistics_json(path: Path, found: DatasetStatistics) -> None:
    """Write the statistics as JSON.

    Raises:
        OutputError: If the place cannot be written.
    """
    write_text(path, json.dumps(found.model_dump(mode="json"), indent=1) + "\n")
