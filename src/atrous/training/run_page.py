"""The page of a run: the best checkpoint's scores, the curves of the training, pictures to look at."""

from collections.abc import Sequence

from atrous.data import open_split
from atrous.evaluation.curves import Curve
from atrous.evaluation.examples import predict_examples
from atrous.evaluation.report import read_report
from atrous.evaluation.report_page import write_report_page
from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.recipe import Recipe
from atrous.training.run import name_of
from atrous.training.run_folder import RunFolder

EXAMPLES = 8


def write_run_page(folder: RunFolder, recipe: Recipe) -> None:
    """Write report.html of a finished run.

    Raises:
        AtrousError: If a file of the run or of its data can no longer be read, or the page not be written.
    """
    examples = predict_examples(load(folder.best), open_split(recipe.data, recipe.training.validate_on), EXAMPLES)
    write_report_page(
        folder.page,
        read_report(folder.report),
        title=name_of(recipe),
        examples=examples,
        curves=training_curves(folder),
        warnings=training_warnings(folder),
        next_steps=next_steps(folder),
    )


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
