"""A table as in the papers: one network, or several, scored under every combination of choices."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from atrous.crf import DenseCRFConfig
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.opening import open_for_scoring
from atrous.evaluation.report import EvaluationReport, Interval
from atrous.inference.runtimes import Runtime, WantedPrecision
from atrous.inference.views import Views
from atrous.progress import Progress


class Setting(NamedTuple):
    """A row of the table."""

    model: str
    name: str
    """Of the model in the names of folders, where no other has it."""
    output_stride: int | None
    """None for the network's own."""
    scales: tuple[float, ...]
    flip: bool
    crf: DenseCRFConfig | None

    @property
    def views(self) -> Views:
        """How each picture is seen."""
        return Views(scales=self.scales, flip=self.flip)

    @property
    def folder(self) -> str:
        """A name for the folder of its report."""
        parts = [
            self.name,
            f"os{self.output_stride}" if self.output_stride else "",
            f"scales{'-'.join(f'{scale:g}' for scale in self.scales)}" if self.scales != (1.0,) else "",
            "flip" if self.flip else "",
            "crf" if self.crf else "",
        ]
        return "_".join(part for part in parts if part)


class Row(NamedTuple):
    """A setting and what came of it."""

    setting: Setting
    report: EvaluationReport
    seconds_per_picture: float
    """From the file to the counts, on the machine that wrote the table."""


def settings(
    models: Sequence[str],
    output_strides: Sequence[int],
    scales: Sequence[tuple[float, ...]],
    crf: DenseCRFConfig | None,
    *,
    flip: bool,
) -> Iterator[Setting]:
    """Every combination, the plain ones first, as the papers order their tables.

    Args:
        models: Their names or paths; networks with and without a decoder are two models.
        output_strides: None of them means each network's own.
        scales: Lists of scales, each of which is one choice.
        crf: The refinement that each row is shown without and with; None for tables without any.
        flip: Whether each row is shown without and with the mirror image.
    """
    flips = (False, True) if flip else (False,)
    crfs = (None, crf) if crf else (None,)
    for choice in product(enumerate(models, 1), output_strides or (None,), crfs, scales, flips):
        (number, model), stride, refinement, seen, mirrored = choice
        name = Path(model).stem if len(models) == 1 else f"{number}_{Path(model).stem}"
        yield Setting(model, name, stride, seen, mirrored, refinement)


def measured(
    setting: Setting, data: SegmentationDataset, runtime: Runtime, precision: WantedPrecision, progress: Progress
) -> Row:
    """Score a model under one combination of choices, and take the time.

    Raises:
        AtrousError: If the model cannot be read or does not fit the choices, or a picture cannot be read.
    """
    predictor = open_for_scoring(
        setting.model,
        crf=setting.crf,
        views=setting.views,
        output_stride=setting.output_stride,
        runtime=runtime,
        precision=precision,
        progress=progress,
    )
    predictor(data[0].image)  # the first one compiles and warms up, which no row should be charged with
    start = perf_counter()
    report = evaluate(predictor, data, progress)
    return Row(setting, report, (perf_counter() - start) / len(data))


def markdown(rows: Sequence[Row]) -> str:
    """The table, with the protocol that all rows share above it.

    Raises:
        ValueError: If there is no row.
    """
    card = rows[0].report.protocol
    head = (
        "| model | output stride | scales | flip | CRF | mIoU | 95 % | boundary IoU | pixel accuracy | s per picture |"
    )
    lines = [
        f"# {card.dataset} {card.split}",
        "",
        f"{card.pictures} pictures at {card.sizes}; {card.precision}; files {card.fingerprint}.",
        f"Ignored: {card.ignore}.",
        "Intervals: 95 % of the draws of a bootstrap over the pictures. `atrous compare` tells smaller differences",
        "than two intervals do: the report of each row lies in a folder beside this file.",
        "",
        head,
        "|---|" + "---:|" * (head.count("|") - 2),
        *map(_line, rows),
        "",
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    scores, card = row.report.scores, row.report.protocol
    cells = [
        row.report.model,
        str(card.output_stride),
        ", ".join(f"{scale:g}" for scale in card.scales),
        "✓" if card.flip else "",
        "✓" if card.crf else "",
        _percent(scores.mean_iou),
        _limits(scores.intervals.get("mean_iou")),
        _percent(scores.mean_boundary_iou),
        _percent(scores.pixel_accuracy),
        f"{row.seconds_per_picture:.3g}",
    ]
    return f"| {' | '.join(cells)} |"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _limits(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
