"""Score a predictor on a whole split, each picture at its own size, in one pass and constant memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from atrous.data.samples import Sample, SegmentationDataset
from atrous.data.share import WHOLE as WHOLE_SPLIT
from atrous.data.share import Share
from atrous.data.stray_labels import describe_strays, known_labels, stray_labels
from atrous.errors import DatasetError, MaskError
from atrous.evaluation.bootstrap import Draws
from atrous.evaluation.counts import BINS, BOUNDARY, PLANES, WHOLE, Counts, PictureCounts, count_picture
from atrous.evaluation.measures import by_size, calibration, trimap
from atrous.evaluation.metrics import scores_of
from atrous.evaluation.report import ClassPixels, EvaluationReport, Protocol, picture_line
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


class Tally:
    """What was counted in some pictures of a split; tallies of all pictures add up to its report."""

    def __init__(self, num_classes: int) -> None:
        """Begin with no picture."""
        self.matrix: Counts = np.zeros((num_classes, num_classes), np.int64)
        """int64 [K, K]: true class (row), predicted class (column)."""
        self.cells: Counts = np.zeros(PLANES * 3 * num_classes + BINS * 3, np.int64)
        """The sums of all planes, then of the bins of confidence."""
        self.draws = Draws(len(self.cells))
        self.pictures: dict[int, tuple[str, str]] = {}
        """Name and line of each picture, by its number in the split."""
        self.sizes: set[tuple[int, int]] = set()
        """(width, height)."""
        self.strays: dict[int, str] = {}
        """What is wrong with a mask, by its number in the split."""
        self.stray_pixels = 0

    def add(self, index: int, sample: Sample, counted: PictureCounts) -> None:
        """Count a picture of the split."""
        cells = np.concatenate([counted.planes.ravel(), counted.calibration.ravel()])
        self.matrix += counted.confusion
        self.cells += cells
        self.draws.add(index, cells)
        self.pictures[index] = sample.name, picture_line(_occurring(counted.planes[WHOLE]))
        height, width = sample.mask.shape
        self.sizes.add((width, height))
        self.stray_pixels += counted.strays

    def add_all(self, other: "Tally") -> None:
        """Count all that another process counted."""
        self.matrix += other.matrix
        self.cells += other.cells
        self.draws.add_all(other.draws)
        self.pictures |= other.pictures
        self.sizes |= other.sizes
        self.strays |= other.strays
        self.stray_pixels += other.stray_pixels

    def planes(self, cells: Counts) -> Counts:
        """[PLANES, 3, K, ...] of cells [PLANES * 3 * K + BINS * 3, ...]."""
        count = PLANES * 3 * len(self.matrix)
        return cells[:count].reshape(PLANES, 3, len(self.matrix), *cells.shape[1:])

    @staticmethod
    def bins(cells: Counts) -> Counts:
        """[BINS, 3, ...] of the same cells."""
        return cells[-BINS * 3 :].reshape(BINS, 3, *cells.shape[1:])


def tally(
    predictor: Predictor | ExportedPredictor,
    dataset: SegmentationDataset,
    progress: Progress | None = None,
    share: Share = WHOLE_SPLIT,
) -> Tally:
    """Predict the pictures of a split that fall to one process, and count.

    Raises:
        DatasetError: If the classes differ.
        ImageError, MaskError: If a file is unreadable.
    """
    require_same_labels(predictor.labels, dataset)
    found = Tally(dataset.labels.num_classes)
    own = share.of(len(dataset))
    for index in track(own, progress or Silent(), f"Evaluating {dataset.split}", len(own)):
        sample = dataset[index]
        counted = count_picture(sample.mask, predictor(sample.image), dataset.labels)
        found.add(index, sample, counted)
        if counted.strays:
            strays = stray_labels(sample.mask, dataset.labels)
            found.strays[index] = describe_strays(dataset.source_of(index), strays)
    return found


def report_of(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, tallies: Sequence[Tally]
) -> EvaluationReport:
    """Make the report of a split from the tallies of all its pictures, which are added to the first of them.

    Raises:
        DatasetError: If every pixel is ignored.
        MaskError: If masks hold labels of no class; the first are named.
    """
    total, *others = tallies
    for other in others:
        total.add_all(other)
    if total.strays:
        strays = [total.strays[index] for index in sorted(total.strays)]
        raise MaskError(_stray_sentence(strays, total.stray_pixels, dataset))
    if not total.matrix.any():
        raise DatasetError(f"Every pixel of {dataset.title} {dataset.split} is ignored: there is nothing to score.")
    planes, bins = total.planes(total.cells), total.bins(total.cells)
    several = len(total.pictures) > 1  # one picture says nothing about others
    drawn = total.planes(total.draws.sums) if several else None
    return EvaluationReport(
        model=predictor.name,
        protocol=protocol(predictor, dataset, total.sizes),
        scores=scores_of(
            planes[WHOLE],
            dataset.labels,
            planes[BOUNDARY],
            None if drawn is None else drawn[WHOLE],
            None if drawn is None else drawn[BOUNDARY],
        ),
        labels=dataset.labels,
        confusion=tuple(tuple(row) for row in total.matrix.tolist()),
        trimap=trimap(planes, drawn),
        sizes=by_size(planes, drawn),
        calibration=calibration(bins, total.bins(total.draws.sums) if several else None),
        pictures=_by_name(total.pictures),
    )


def _occurring(counts: Counts) -> Iterator[ClassPixels]:
    """Of int64 [3, K], the classes that occur."""
    for label in np.flatnonzero(counts.any(axis=0)):
        yield ClassPixels(int(label), *(int(pixels) for pixels in counts[:, label]))


def _by_name(pictures: Mapping[int, tuple[str, str]]) -> dict[str, str]:
    """The line of each picture, in the order of the split; of two with one name the second gets a number."""
    lines: dict[str, str] = {}
    for index in sorted(pictures):
        name, line = pictures[index]
        name = name.encode("utf-8", "backslashreplace").decode()  # a file's name may be no text at all
        lines[f"{name} ({index})" if name in lines else name] = line
    return lines


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
