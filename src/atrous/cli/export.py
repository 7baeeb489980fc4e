"""`atrous export`: a network as a file that predicts without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Model, OutputStride, Quiet, parsed_size
from atrous.errors import ConfigError

if TYPE_CHECKING:
    from atrous.data.samples import SegmentationDataset
    from atrous.evaluation.export_scores import ScoreComparison

CALIBRATING = 32
"""Pictures that show which values occur."""


def export(
    model: Model,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The file: .onnx, .xml (OpenVINO), .pt2 (torch.export), .tflite or .mlpackage."
        ),
    ],
    *,
    answer: Annotated[
        str,
        typer.Option("--output", help="logits (at the network's resolution, the fastest) or labels (of every pixel)."),
    ] = "logits",
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers, calibrated on pictures of --data; what is lost is told.")
    ] = False,
    data: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(
            "--data", metavar="DATASET", help="Labelled pictures on which the file must score as the network."
        ),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which of them are scored.")] = "val",
    calibration_split: Annotated[
        str, typer.Option("--calibration-split", help=f"Of which {CALIBRATING} calibrate --int8.")
    ] = "train",
    pictures: Annotated[int, typer.Option("--pictures", min=1, help="How many are scored, drawn from a seed.")] = 100,
    largest_loss: Annotated[
        Optional[float],  # noqa: UP045 - typer reads it
        typer.Option("--largest-loss", help="Points of mIoU that may be lost; by default 0.1, with --int8 1."),
    ] = None,
    output_stride: OutputStride = None,
    size: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(
            "--size", metavar="HxW", help="Height and width that a .tflite or .mlpackage takes; 513x513 by default."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a model for other runtimes, and make sure that the file answers like the network.

    The file holds names and colours of the classes, pixel scale and scores, so `atrous predict OUT` needs nothing else,
    and no torch but for .pt2. It takes float32 RGB [B, 3, H, W] in 0..1, of any size; a .tflite takes [1, H, W, 3] and
    a .mlpackage [1, 3, H, W], of one size (--size). Where its answers differ, or its mIoU on --data does, nothing is
    written.
    """
    from atrous.config import parse
    from atrous.evaluation.verified_export import Export, export_verified
    from atrous.inference.exported_file import OF_ONE_SIZE
    from atrous.inference.to_onnx import Output
    from atrous.progress import terminal_progress
    from atrous.weights.checkpoint import load_checkpoint
    from atrous.weights.finding import find_model

    progress = terminal_progress(quiet=quiet)
    if int8 and data is None:
        raise ConfigError("--int8 needs pictures to calibrate and to measure on: give a data set with --data.")
    wanted = Export(
        output=parse(Output, answer, "--output"),
        calibration=_some(data, calibration_split, CALIBRATING) if int8 else None,
        measured=_some(data, split, pictures),
        size=None if size is None else parsed_size(size),
        largest_loss=largest_loss,
    )
    checkpoint = load_checkpoint(find_model(model, progress))
    if output_stride is not None:
        checkpoint = checkpoint._replace(network=checkpoint.network.with_output_stride(output_stride))
    agreement, comparison = export_verified(output, checkpoint, wanted, progress)
    if comparison is not None and not quiet:
        print_losses(comparison)
    where = "its size" if output.suffix.lower() in OF_ONE_SIZE else "several sizes"
    of_logits = f"its logits differ by at most {agreement.difference:.1e} of the largest, and "
    progress.say(
        f"Written: {output}; at {where} {of_logits if wanted.output == 'logits' else ''}"
        f"{agreement.same_labels:.2%} of its labels are those of the network."
    )


def _some(data: str | None, split: str, count: int) -> "SegmentationDataset | None":
    """Up to so many samples of a split."""
    if data is None:
        return None
    from atrous.data import open_split, parse_dataset
    from atrous.data.fraction import DrawnSamples

    dataset = open_split(parse_dataset(data), split)
    return dataset if count >= len(dataset) else DrawnSamples(dataset, count / len(dataset), seed=0)


def print_losses(comparison: "ScoreComparison") -> None:
    """Print the IoU of each class by network and file, and what is lost in all."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"IoU on {comparison.dataset}, {comparison.split}", title_justify="left")
    table.add_column("class")
    for name in ("network", "file", "lost"):
        table.add_column(name, justify="right")
    for each in comparison.classes:
        table.add_row(each.name, *_percents(each.network, each.file))
    table.add_section()
    table.add_row("mean", *_percents(comparison.network, comparison.file))
    Console(highlight=False, markup=False).print(table)


def _percents(network: float | None, file: float | None) -> tuple[str, str, str]:
    lost = None if network is None or file is None else network - file
    one, other, difference = ("–" if value is None else f"{100 * value:.2f}" for value in (network, file, lost))
    return one, other, difference
