"""`atrous data export`: a data set as polygons, for the program in which it is corrected."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from atrous.cli.options import Quiet


def export(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="A folder with dataset.yaml, or KIND:PATH such as voc:data/VOC2012."),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write; it must be empty or not exist.")],
    *,
    to: Annotated[str, typer.Option("--to", help="The format: cvat, labelme or coco.")],
    split: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Option("--split", help="A split to write; can be repeated. By default all that there are."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, max=100.0, help="How far outlines may leave the pixels' sides.")
    ] = 0.5,
    quiet: Quiet = False,
) -> None:
    """Write a data set as polygons, with its pictures as PNG.

    What is ignored gets the label `ignore`; the class `background` is what no polygon covers.
    """
    from atrous.config import parse
    from atrous.data import open_split, parse_dataset, splits_of
    from atrous.data.export import ExportFormat, export_dataset
    from atrous.progress import terminal_progress

    kind: ExportFormat = parse(ExportFormat, to, "--to")
    config = parse_dataset(dataset)
    progress = terminal_progress(quiet=quiet)
    datasets = [open_split(config, name) for name in split or splits_of(config)]
    export_dataset(datasets, output, kind, tolerance, progress)
    pictures = sum(map(len, datasets))
    progress.say(f"{pictures} picture{'s' * (pictures != 1)} written to {output}; read them as {kind}:{output}")
