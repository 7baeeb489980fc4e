"""The page of a run: the best checkpoint's scores, the curves of the training, pictures to look at."""

from collections.abc import Sequence

from atrous.data import open_split
from atrous.data.fraction import DrawnSamples
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.curves import Curve
from atrous.evaluation.examples import predict_telling
from atrous.evaluation.report import read_report
from atrous.evaluation.report_page import write_report_page
from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.recipe import Recipe
from atrous.training.run import name_of
from atrous.training.run_folder import RunFolder

EXAMPLES = 18


def write_run_page(folder: RunFolder, recipe: Recipe) -> None:
    """Write report.html of a finished run.

    Raises:
        AtrousError: If a file of the run or of its data can no longer be read, or the page not be written.
    """
    report = read_report(folder.report)
    examples = predict_telling(load(folder.best), validation_split(recipe), report, EXAMPLES)
    write_report_page(
        folder.page,
        report,
        title=name_of(recipe),
        examples=examples,
        curves=training_curves(folder),
        warnings=training_warnings(folder),
        next_steps=next_steps(folder),
        train_iou=train_score(folder),
        recipe=recipe.model_dump(mode="json"),
    )


def validation_split(recipe: Recipe) -> SegmentationDataset:
    """The pictures that a run is validated on."""
    plan = recipe.training
    split = open_split(recipe.data, plan.validate_on)
    return DrawnSamples(split, plan.val_fraction, plan.seed) if plan.val_fraction < 1 else split


def train_score(folder: RunFolder) -> float | None:
    """The mean IoU on pictures of train, 0..1, in the validation with the best mean IoU; None if none was measured."""
    rows = [row for row in read_log(folder.jsonl) if "train_mean_iou" in row]
    return float(max(rows, key=lambda row: row["val_mean_iou"])["train_mean_iou"]) if rows else None


def training_curves(folder: RunFolder) -> list[Curve]:
    """Loss, validation score and learning rate over the steps of a run, from its log."""
    rows = read_log(folder.jsonl)

    def curve(title: str, unit: str, column: str, factor: float = 1.0) -> Curve:
        points = [(row["step"], row[column] * factor) for row in rows if column in row]
        return Curve(title, unit, [step for step, _ in points], [value for _, value in points])

    return [
        curve("Training loss (smoothed)", "nats per pixel", "smoothed_loss"),
        curve("Validation mIoU", "%", "val_mean_iou", 100),
        curve("Learning rate", "", "learning_rate"),
    ]


def training_warnings(folder: RunFolder) -> list[tuple[int, str]]:
    """What the watch over a run found, from its log: (step, sentence)."""
    return [(row["step"], row["warning"]) for row in read_log(folder.jsonl) if "warning" in row]


def next_steps(folder: RunFolder) -> Sequence[tuple[str, str]]:
    """What people usually do after a training, each with its command."""
    return [
        ("Segment a photo of your own", f"atrous predict {folder.best} YOUR_PHOTO.jpg"),
        ("Score it on another split", f"atrous evaluate {folder.best} DATASET --split test"),
        ("Follow the curves in TensorBoard", f"tensorboard --logdir {folder.events}"),
    ]
