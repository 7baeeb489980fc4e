"""What an export costs in scores: the network and its file on the same pictures."""

from atrous.config import Config
from atrous.data.samples import SegmentationDataset
from atrous.data.stray_labels import describe_strays, stray_labels
from atrous.errors import DatasetError, ExportError, MaskError
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.evaluate import require_same_labels
from atrous.evaluation.metrics import scores
from atrous.evaluation.report import Scores
from atrous.inference.exported import ExportedPredictor
from atrous.inference.predictor import Predictor
from atrous.progress import Progress, Silent, track

LARGEST_LOSS = {"float32": 0.1, "int8": 1.0}
"""Points of mIoU (hundredths) that a file may lose, by its precision."""


class ClassLoss(Config):
    """The IoU of one class, 0..1, by the network and by the file; None where it does not occur."""

    name: str
    network: float | None
    file: float | None


class ScoreComparison(Config):
    """Scores of a network and of its file, 0..1, on the same pictures, each whole and compared at its own size."""

    dataset: str
    split: str
    pictures: int
    fingerprint: str
    network: float
    """Mean IoU."""
    file: float
    classes: tuple[ClassLoss, ...]

    @property
    def loss(self) -> float:
        """Points of mIoU that the file loses; below 0 where it gains."""
        return 100 * (self.network - self.file)


def compare_scores(
    network: Predictor,
    file: Predictor | ExportedPredictor,
    dataset: SegmentationDataset,
    progress: Progress | None = None,
) -> ScoreComparison:
    """Predict every picture of a split by both.

    Raises:
        DatasetError: If the classes are not those of the network, or every pixel is ignored.
        ImageError, MaskError: If a file is unreadable, or a mask holds labels of no class.
    """
    require_same_labels(network.labels, dataset)
    matrices = [ConfusionMatrix(dataset.labels), ConfusionMatrix(dataset.labels)]
    for index in track(range(len(dataset)), progress or Silent(), "Comparing scores", len(dataset)):
        sample = dataset[index]
        for matrix, predictor in zip(matrices, (network, file), strict=True):
            if matrix.add(sample.mask, predictor(sample.image).mask):
                strays = describe_strays(dataset.source_of(index), stray_labels(sample.mask, dataset.labels))
                raise MaskError(f"A mask holds labels of no class ({strays}): correct it, then export again.")
    if not matrices[0].matrix.any():
        raise DatasetError(f"Every pixel of {dataset.title} {dataset.split} is ignored: there is nothing to score.")
    theirs, own = (scores(matrix.matrix, dataset.labels) for matrix in matrices)
    return ScoreComparison(
        dataset=dataset.title,
        split=dataset.split,
        pictures=len(dataset),
        fingerprint=dataset.fingerprint(),
        network=theirs.mean_iou,
        file=own.mean_iou,
        classes=_classes(theirs, own),
    )


def require_scores(comparison: ScoreComparison, largest_loss: float) -> None:
    """Refuse a file that loses too much.

    Raises:
        ExportError: If it loses more than so many points of mIoU; it names the class that loses most.
    """
    if comparison.loss <= largest_loss:
        return
    worst = max(comparison.classes, key=lambda each: (each.network or 0) - (each.file or 0))
    raise ExportError(
        f"The exported file loses {comparison.loss:.2f} points of mIoU on {comparison.pictures} pictures "
        f"({100 * comparison.network:.2f} % by the network, {100 * comparison.file:.2f} % by the file; most in "
        f"{worst.name}: {100 * (worst.network or 0):.1f} to {100 * (worst.file or 0):.1f} %), and was not kept as "
        f"{largest_loss:g} are allowed: allow more with --largest-loss, or leave out --int8."
    )


def _classes(network: Scores, file: Scores) -> tuple[ClassLoss, ...]:
    pairs = zip(network.classes, file.classes, strict=True)
    return tuple(ClassLoss(name=one.name, network=one.iou, file=other.iou) for one, other in pairs)
