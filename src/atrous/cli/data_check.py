"""`atrous data check`: every fault of a data set that would spoil a training, before it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Choices, Dataset, Quiet

if TYPE_CHECKING:
    from atrous.data.check import CheckReport
    from atrous.data.faults.finding import Finding

EXAMPLES = 3  # of each kind, on the terminal
FINDING_WIDTH = 24  # characters


def check(
    dataset: Dataset,
    choices: Choices = None,
    *,
    classes: Annotated[
        str, typer.Option("--classes", help="Classes of a folder without dataset.yaml, with commas, the first is 0.")
    ] = "",
    repair: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option("--repair", help="Write a corrected copy there; the data set itself stays as it is."),
    ] = None,
    json: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--json", help="Write all findings to this file."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="Write report.html with pictures of the findings into this folder."),
    ] = None,
    workers: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--workers", min=0, help="Processes that read; by default one per core."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Find every fault of a data set: unpaired, damaged and doubled files, wrong values, exchanged masks, leaks.

    What spoils training makes the exit code 1; what is worth knowing does not. No fault hides the next one.
    """
    from atrous.data import parse_dataset
    from atrous.data.check import check as run_check
    from atrous.data.check import open_to_check, write_check_json, write_repaired
    from atrous.data.pages.check_page import write_check_page
    from atrous.data.processes import default_workers
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    typed = " ".join([dataset, *(choices or [])])
    names = tuple(name.strip() for name in classes.split(",") if name.strip())
    opened = open_to_check(parse_dataset(dataset, choices or []), names)
    checked = run_check(opened, progress, default_workers() if workers is None else workers)
    written = [path for path in (json, output and output / "report.html", repair) if path]
    if not quiet:
        print_report(checked.report, place=dataset.partition(":")[2] or dataset)
    if json:
        write_check_json(json, checked.report)
    if output:
        write_check_page(output / "report.html", checked, dataset=typed)
    if repair:
        write_repaired(checked, repair, progress)
    if written and not quiet:
        print(f"\nWritten: {', '.join(map(str, written))}")
    if checked.report.spoils and not quiet and not repair:
        print(f"\nWrite a corrected copy: atrous data check {typed} --repair CORRECTED")
    if checked.report.spoils:
        raise typer.Exit(1)


def print_report(report: "CheckReport", place: str) -> None:
    """Print what was found, kind by kind, with the first examples; paths are shown below the data set's place."""
    from rich.console import Console
    from rich.table import Table

    from atrous.data.faults.finding import KINDS

    console = Console(highlight=False, markup=False)
    pictures = ", ".join(f"{count:,} of {split}" for split, count in report.pictures.items())
    console.print(f"{report.title}: {pictures or 'no'} pictures")
    if not report.findings:
        console.print("Nothing was found.")
        return
    table = Table(show_lines=True)
    table.add_column("finding", max_width=FINDING_WIDTH)
    table.add_column("how many", justify="right")
    table.add_column("first examples", ratio=1)
    for kind, findings in report.by_kind().items():
        title, severity = KINDS[kind]
        table.add_row(f"{title} ({severity})", f"{len(findings):,}", _examples(findings, place))
    console.print(table)
    console.print("Something spoils training." if report.spoils else "Nothing spoils training.")


def _examples(findings: "list[Finding]", place: str) -> str:
    shown = [finding.sentence.replace(f"{place.rstrip('/')}/", "") for finding in findings[:EXAMPLES]]
    more = [f"... and {len(findings) - EXAMPLES:,} more"] if len(findings) > EXAMPLES else []
    return "\n".join([*shown, *more, f"Repair: {findings[0].repair}."])
