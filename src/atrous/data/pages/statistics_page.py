"""The page of statistics: tables, plots and some of the pictures under their masks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from atrous.data.pages.environment import write_page
from atrous.data.pages.pictures import picture_uri
from atrous.data.samples import SegmentationDataset
from atrous.data.statistics import ClassStatistics, DatasetStatistics, SplitStatistics
from atrous.labels import LabelSpace
from atrous.visualization import overlay

SHOWN = 6  # pictures of each split
LARGEST_MATRIX = 30  # classes; a larger table cannot be read
MOST_SIZES = 8
SPAN = 1000  # the plane in which a curve is drawn
SMOOTHED = 4  # values of a channel that make one point of its curve


class Bar(NamedTuple):
    """A bar of a plot; all numbers are shares of its area, from the left and from the top."""

    left: float
    width: float
    top: float
    height: float
    label: str
    """Under the bar; empty where labels would be too close."""
    title: str


class Row(NamedTuple):
    """A class in the table of classes."""

    entry: ClassStatistics
    color: str
    bar: float
    """Of the largest share, 0..1."""


class Section(NamedTuple):
    """One split, ready to show."""

    split: SplitStatistics
    rows: list[Row]
    matrix: list[list[tuple[int, float]]] | None
    """(pictures, share of the pictures that show the class of the row) of each pair of classes."""
    object_bars: list[Bar]
    curves: list[tuple[str, str]]
    """(colour, path) of the histogram of each channel."""
    sizes: list[tuple[str, int]]
    samples: list[tuple[str, str]]
    """(name, data URI)"""


def write_statistics_page(path: Path, found: DatasetStatistics, datasets: Sequence[SegmentationDataset]) -> None:
    """Write the page of statistics, with samples of the splits that they were counted in.

    Raises:
        OutputError: If the file cannot be written.
        ImageError, MaskError: If one of the samples can no longer be read.
    """
    sections = [_section(split, dataset) for split, dataset in zip(found.splits, datasets, strict=True)]
    labels = datasets[0].labels
    legend = list(zip(labels.names, map(_css, labels.colors), strict=True))
    write_page(path, "statistics_page.html.j2", title=found.title, sections=sections, legend=legend, span=SPAN)


def _section(split: SplitStatistics, dataset: SegmentationDataset) -> Section:
    listed = [(f"{size.width}×{size.height}", size.pictures) for size in split.sizes[:MOST_SIZES]]
    rest = sum(size.pictures for size in split.sizes[MOST_SIZES:])
    return Section(
        split,
        _rows(split, dataset.labels),
        _matrix(split),
        _object_bars(split),
        list(zip(("#d6412f", "#2a9d52", "#2f6fd6"), map(_curve, split.histograms), strict=True)),
        [*listed, *([("other sizes", rest)] if rest else [])],
        list(_samples(dataset)),
    )


def _rows(split: SplitStatistics, labels: LabelSpace) -> list[Row]:
    most = max((entry.share for entry in split.classes), default=0) or 1
    return [
        Row(entry, _css(color), entry.share / most) for entry, color in zip(split.classes, labels.colors, strict=True)
    ]


def _matrix(split: SplitStatistics) -> list[list[tuple[int, float]]] | None:
    if len(split.together) > LARGEST_MATRIX:
        return None
    return [
        [(pictures, pictures / row[place] if row[place] else 0.0) for pictures in row]
        for place, row in enumerate(split.together)
    ]


def _object_bars(split: SplitStatistics) -> list[Bar]:
    """How many objects of all classes have 1, 2 to 3, 4 to 7, ... pixels."""
    octaves = max((len(entry.object_sizes) for entry in split.classes), default=0)
    counts = [
        sum(entry.object_sizes[octave] for entry in split.classes if octave < len(entry.object_sizes))
        for octave in range(octaves)
    ]
    most = max(counts, default=0) or 1
    return [
        Bar(
            left=octave / octaves,
            width=0.86 / octaves,
            top=1 - count / most,
            height=count / most,
            label=_short(2**octave) if octave % 4 == 0 else "",
            title=f"{2**octave:,} to {2 ** (octave + 1) - 1:,} pixels: {count:,} objects",
        )
        for octave, count in enumerate(counts)
    ]


def _curve(histogram: Sequence[int]) -> str:
    """An SVG path over the values 0..255 of a channel."""
    counts = np.array(histogram, float).reshape(-1, SMOOTHED).sum(axis=1)
    heights = SPAN * (1 - counts / max(1.0, float(counts.max())))
    steps = np.linspace(0, SPAN, len(counts))
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in zip(steps, heights, strict=True))


def _samples(dataset: SegmentationDataset) -> Iterator[tuple[str, str]]:
    """Some samples, evenly spread over the split."""
    count = min(SHOWN, len(dataset))
    for place in range(count):
        image, mask, name = dataset[place * len(dataset) // count]
        yield name, picture_uri(overlay(image, mask, dataset.labels))


def _css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _short(number: int) -> str:
    for size, suffix in ((2**20, "M"), (2**10, "k")):
        if number >= size:
            return f"{number // size}{suffix}"
    return str(number)
