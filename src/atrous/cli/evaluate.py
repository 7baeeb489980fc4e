"""`atrous evaluate`: scores with the protocol that they were obtained by."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import (
    Choices,
    Crf,
    CrfFile,
    Flip,
    Model,
    OutputStride,
    PrecisionName,
    Quiet,
    RuntimeName,
    Scales,
    chosen_crf,
    chosen_runtime,
    chosen_views,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from atrous.evaluation.report import EvaluationReport, Interval, Protocol

HEADLINES = {
    "mIoU": "mean_iou",
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "frequency-weighted IoU": "frequency_weighted_iou",
    "boundary IoU": "mean_boundary_iou",
}
"""Scores of the whole, by the words that they are printed with."""


def evaluate(
    model: Model,
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="A folder with dataset.yaml, or KIND:PATH such as camvid:data/camvid."),
    ],
    choices: Choices = None,
    *,
    split: Annotated[str, typer.Option("--split", help="Which part of the data set to score.")] = "val",
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option("--output", "-o", help="Where report.json and report.html go; by default below evaluation/."),
    ] = None,
    output_stride: OutputStride = None,
    scales: Scales = "1",
    flip: Flip = False,
    crf: Crf = False,
    crf_config: CrfFile = None,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    quiet: Quiet = False,
) -> None:
    """Score a checkpoint on a split of a data set, every picture whole and compared at its own size."""
    from atrous.data import open_split, parse_dataset
    from atrous.evaluation.evaluate import report_of, tally
    from atrous.evaluation.examples import predict_telling
    from atrous.evaluation.opening import open_for_scoring, recipe_of
    from atrous.evaluation.report import write_report
    from atrous.evaluation.report_page import write_report_page
    from atrous.progress import terminal_progress
    from atrous.training.distributed import joined

    with joined() as processes:
        progress = terminal_progress(quiet=quiet or not processes.main)
        data = open_split(parse_dataset(dataset, choices or []), split)
        refining, looking = chosen_crf(crf=crf, crf_config=crf_config), chosen_views(scales, flip=flip)
        chosen, exactly = chosen_runtime(runtime, precision)
        predictor = processes.main_first(
            lambda: open_for_scoring(
                model,
                crf=refining,
                views=looking,
                output_stride=output_stride,
                runtime=chosen,
                precision=exactly,
                progress=progress,
            )
        )
        tallies = processes.gather(tally(predictor, data, progress, processes.share))
        report = processes.from_main(lambda: report_of(predictor, data, tallies))
        if not processes.main:
            return
    output = output or Path("evaluation") / f"{predictor.name}_{data.split}{_variant(report.protocol, output_stride)}"
    write_report(output / "report.json", report)
    steps = [("Segment a photo of your own", f"atrous predict {model} YOUR_PHOTO.jpg")]
    examples = predict_telling(predictor, data, report, count=18)
    title = f"{predictor.name} on {data.title} {split}"
    page = output / "report.html"
    write_report_page(page, report, title=title, examples=examples, next_steps=steps, recipe=recipe_of(model))
    if not quiet:
        print_scores(report)
        print(f"\nWritten: {output / 'report.json'}, {page}")


def _variant(card: "Protocol", output_stride: int | None) -> str:
    """The end of a report's name, so that none replaces that of another protocol."""
    return "".join(
        [
            f"_os{output_stride}" if output_stride else "",
            f"_scales{'-'.join(f'{scale:g}' for scale in card.scales)}" if card.scales != (1.0,) else "",
            "_flip" if card.flip else "",
            "_crf" if card.crf else "",
        ]
    )


def print_scores(report: "EvaluationReport") -> None:
    """Print the table of a report and its protocol."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(_table(report))
    for sentence in _sentences(report):
        console.print(sentence)


def _table(report: "EvaluationReport") -> "Table":
    """A row for each class, and one for their means."""
    from rich.table import Table

    scores, card = report.scores, report.protocol
    table = Table(title=f"{report.model} on {card.dataset} {card.split}", title_justify="left")
    table.add_column("class")
    for name in ("IoU", "95 %", "Dice", "precision", "recall", "boundary IoU"):
        table.add_column(name, justify="right")
    for entry in scores.classes:
        values = entry.dice, entry.precision, entry.recall, entry.boundary_iou
        table.add_row(entry.name, _percent(entry.iou), _limits(entry.intervals.get("iou")), *map(_percent, values))
    table.add_section()
    limits = _limits(scores.intervals.get("mean_iou"))
    values = scores.mean_dice, None, scores.mean_accuracy, scores.mean_boundary_iou
    table.add_row("mean", _percent(scores.mean_iou), limits, *map(_percent, values))
    return table


def _sentences(report: "EvaluationReport") -> "Iterator[str]":
    """What stands below: scores of the whole, and how they were obtained."""
    from atrous.evaluation.report import describe_crf
    from atrous.inference.views import Views

    scores, card = report.scores, report.protocol
    yield ", ".join(
        f"{words} {_percent(getattr(scores, name))} {_limits(scores.intervals.get(name))}".rstrip()
        for words, name in HEADLINES.items()
    )
    if report.trimap:
        near = ", ".join(f"{_percent(point.mean_iou, 1)} within {point.width} px" for point in report.trimap[::3])
        yield f"mIoU along the true boundaries: {near}."
    if report.sizes:
        sizes = ", ".join(f"{_percent(size.mean_iou, 1)} {size.name}" for size in report.sizes)
        yield f"mIoU by size of area: {sizes}."
    if report.calibration:
        error = f"{_percent(report.calibration.error)} {_limits(report.calibration.interval)}".rstrip()
        yield f"Expected calibration error: {error}."
    if scores.absent:
        yield f"Left out of the means, since they occur neither in truth nor in prediction: {', '.join(scores.absent)}."
    yield (
        f"Protocol: {card.pictures} pictures at {card.sizes}; output stride {card.output_stride}, "
        f"{Views(scales=card.scales, flip=card.flip).words}, {card.precision}; dense CRF: {describe_crf(card.crf)}; "
        f"ignored: {card.ignore}; files {card.fingerprint}."
    )


def _percent(value: float | None, decimals: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{decimals}f}"


def _limits(interval: "Interval | None") -> str:
    return "" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
