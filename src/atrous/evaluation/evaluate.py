"""Score a predictor on a whole split, each picture at its own size, in one pass and constant memory."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.samples import SegmentationDataset, describe_strays, known_labels, stray_labels
from atrous.data.share import WHOLE, Share
from atrous.errors import DatasetError, MaskError
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.evaluation.report import EvaluationReport, Protocol
from atrous.inference.exported import ExportedPredictor
from atrous.inference.predictor import Predictor
from atrous.labels import LabelSpace
from atrous.progress import Progress, Silent, track

STRAYS_NAMED = 5


def evaluate(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, progress: Progress | None = None
) -> EvaluationReport:
    """Predict every picture of a split and compare it with its mask.

    Args:
        predictor: The network, with labels equal to the data set's.
        dataset: The split; every picture is counted, at its own size.
        progress: Where to show how far it is.

    Returns:
        Scores, confusion matrix and the protocol of both.

    Raises:
        DatasetError: If the classes differ, or every pixel is ignored.
        MaskError: If masks hold labels of no class: all of them are counted first, then named.
        ImageError: If a file is unreadable.
    """
    return report_of(predictor, dataset, [tally(predictor, dataset, progress)])


class Tally(NamedTuple):
    """What was counted in some pictures of a split; tallies of all pictures add up to its report."""

    matrix: NDArray[np.int64]
    """int64 [K, K]: true class (row), predicted class (column)."""
    sizes: set[tuple[int, int]]
    """(width, height)."""
    strays: dict[int, str]
    """What is wrong with a mask, by its number in the split."""
    stray_pixels: int


def tally(
    predictor: Predictor | ExportedPredictor,
    dataset: SegmentationDataset,
    progress: Progress | None = None,
    share: Share = WHOLE,
) -> Tally:
    """Predict the pictures of a split that fall to one process, and count.

    Raises:
        DatasetError: If the classes differ.
        ImageError, MaskError: If a file is unreadable.
    """
    require_same_labels(predictor.labels, dataset)
    confusion = ConfusionMatrix(dataset.labels)
    sizes: set[tuple[int, int]] = set()
    strays: dict[int, str] = {}
    stray_pixels = 0
    own = share.of(len(dataset))
    for index in track(own, progress or Silent(), f"Evaluating {dataset.split}", len(own)):
        sample = dataset[index]
        height, width = sample.mask.shape
        sizes.add((width, height))
        found = confusion.add(sample.mask, predictor(sample.image).mask)
        if found:
            stray_pixels += found
            strays[index] = describe_strays(dataset.source_of(index), stray_labels(sample.mask, dataset.labels))
    return Tally(confusion.matrix, sizes, strays, stray_pixels)


def report_of(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, tallies: Sequence[Tally]
) -> EvaluationReport:
    """Make the report of a split from the tallies of all its pictures.

    Raises:
        DatasetError: If every pixel is ignored.
        MaskError: If masks hold labels of no class; the first are named.
    """
    strays = {index: words for each in tallies for index, words in each.strays.items()}
    if strays:
        pixels = sum(each.stray_pixels for each in tallies)
        raise MaskError(_stray_sentence([strays[index] for index in sorted(strays)], pixels, dataset))
    matrix: NDArray[np.int64] = np.sum([each.matrix for each in tallies], axis=0)
    if not matrix.any():
        raise DatasetError(f"Every pixel of {dataset.title} {dataset.split} is ignored: there is nothing to score.")
    return EvaluationReport(
        model=predictor.name,
        protocol=protocol(predictor, dataset, set().union(*(each.sizes for each in tallies))),
        scores=scores(matrix, dataset.labels),
        labels=dataset.labels,
        confusion=tuple(tuple(row) for row in matrix.tolist()),
    )


def protocol(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, sizes: Iterable[tuple[int, int]]
) -> Protocol:
    """How the scores of a predictor on a split are obtained."""
    return Protocol(
        dataset=dataset.title,
        split=dataset.split,
        pictures=len(dataset),
        sizes=_describe_sizes(sorted(sizes)),
        ignore=f"pixels whose true label is {dataset.labels.ignore_index}; all others count, from every picture",
        scales=predictor.views.scales,
        flip=predictor.views.flip,
        output_stride=predictor.output_stride,
        precision=predictor.precision,
        crf=predictor.crf,
        fingerprint=dataset.fingerprint(),
    )


def require_same_labels(labels: LabelSpace, dataset: SegmentationDataset) -> None:
    """Refuse to score a network on classes that are not its own.

    Raises:
        DatasetError: It names the first difference.
    """
    ours, theirs = labels.names, dataset.labels.names
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        difference = f"the network knows {len(ours)} classes, the data set has {len(theirs)}"
    else:
        k = next(k for k in range(len(ours)) if ours[k] != theirs[k])
        difference = f"class {k} is {ours[k]!r} to the network and {theirs[k]!r} in the data set"
    raise DatasetError(
        f"The classes of {dataset.title} are not those that the network was trained on ({difference}): "
        f"give the data set that the network belongs to, or a network trained on these classes."
    )


def _describe_sizes(sizes: list[tuple[int, int]]) -> str:
    if len(sizes) == 1:
        return f"{sizes[0][0]}x{sizes[0][1]}, each picture's own"
    (low_width, low_height), (high_width, high_height) = (
        map(min, zip(*sizes, strict=True)),
        map(max, zip(*sizes, strict=True)),
    )
    return f"{len(sizes)} sizes from {low_width}x{low_height} to {high_width}x{high_height}, each picture's own"


def _stray_sentence(strays: list[str], pixels: int, dataset: SegmentationDataset) -> str:
    more = f"; and {len(strays) - STRAYS_NAMED} more files" if len(strays) > STRAYS_NAMED else ""
    return (
        f"{len(strays)} of {len(dataset)} masks hold labels of no class, {pixels} pixel{'s' * (pixels != 1)} in all: "
        f"{'; '.join(strays[:STRAYS_NAMED])}{more}. {dataset.title} knows {known_labels(dataset.labels)}: correct the "
        f"masks or add the class; no score was written."
    )
