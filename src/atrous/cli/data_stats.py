"""`atrous data stats`: a data set in numbers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Choices, Dataset, Quiet

if TYPE_CHECKING:
    from atrous.data.statistics import SplitStatistics


def stats(
    dataset: Dataset,
    choices: Choices = None,
    *,
    json: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option("--json", help="Write the numbers to this file."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Write report.html with plots and samples into this folder."),
    ] = None,
    workers: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--workers", min=0, help="Processes that read; by default one per core."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Count a data set: pictures, sizes, colours, and of each class pixels, pictures, boundaries and objects."""
    from atrous.data import open_split, parse_dataset, splits_of
    from atrous.data.pages.statistics_page import write_statistics_page
    from atrous.data.processes import default_workers
    from atrous.data.statistics import statistics, write_statistics_json
    from atrous.progress import terminal_progress

    config = parse_dataset(dataset, choices or [])
    datasets = [open_split(config, split) for split in splits_of(config)]
    progress = terminal_progress(quiet=quiet)
    found = statistics(datasets, progress, default_workers() if workers is None else workers)
    if json:
        write_statistics_json(json, found)
    if output:
        write_statistics_page(output / "report.html", found, datasets)
    if not quiet:
        for split in found.splits:
            print_statistics(found.title, split)
        if written := [path for path in (json, output and output / "report.html") if path]:
            print(f"\nWritten: {', '.join(map(str, written))}")


def print_statistics(title: str, split: "SplitStatistics") -> None:
    """Print the facts and the classes of one split."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table(title=f"{title} {split.split}: {split.pictures:,} pictures", title_justify="left")
    table.add_column("class", no_wrap=True)
    for column in ("share", "pictures", "boundary", "objects", "mean object", "weight"):
        table.add_column(column, justify="right")
    for entry in split.classes:
        table.add_row(
            entry.name,
            f"{100 * entry.share:.3g} %",
            f"{entry.pictures:,}",
            f"{entry.boundary:,}",
            f"{entry.objects:,}",
            "–" if entry.mean_object is None else f"{entry.mean_object:,.0f}",
            "–" if entry.weight is None else f"{entry.weight:.3g}",
        )
    console.print(table)
    sizes = ", ".join(f"{size.width}x{size.height} ({size.pictures:,})" for size in split.sizes[:4])
    more = f" and {len(split.sizes) - 4:,} other sizes" if len(split.sizes) > 4 else ""
    console.print(f"Sizes (width x height): {sizes}{more}; {100 * split.ignored:.3g} % of the pixels are ignored.")
    console.print(
        f"Mean {_three(split.mean)} and deviation {_three(split.deviation)} of red, green and blue, in 0..1.\n"
    )


def _three(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
