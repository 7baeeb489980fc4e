"""`atrous compare`: which of two networks is better, and whether that could be chance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Quiet

if TYPE_CHECKING:
    from atrous.evaluation.compare import Comparison, Difference

SHOWN = 10
"""Pictures that changed most."""
FEW = 10
"""Below as many pictures a bootstrap over them knows too little of how pictures differ."""


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A report.json of `atrous evaluate`, or its folder.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one, of the same protocol.")],
    *,
    differing: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Option(
            "--differing",
            metavar="CHOICE",
            help="A choice of the protocol that is what you compare: scales, flip, output_stride, precision or crf.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compare two reports picture by picture: which network is better, by how much, and could that be chance?

    The pictures are weighed anew again and again, alike for both (paired bootstrap): 95 % of the draws lie in the
    interval beside each difference. Reports of unequal protocols are refused.
    """
    from atrous.config import parse
    from atrous.evaluation.compare import Choice
    from atrous.evaluation.compare import compare as compare_reports
    from atrous.evaluation.report import read_report

    allowed = [parse(Choice, choice, f"--differing {choice}") for choice in differing or []]
    one, other = (read_report(path / "report.json" if path.is_dir() else path) for path in (a, b))
    comparison = compare_reports(one, other, allowed)
    if quiet:
        print(comparison.verdict)
    else:
        print(f"A: {one.model} ({a})\nB: {other.model} ({b})\n")
        print_comparison(comparison)


def print_comparison(comparison: "Comparison") -> None:
    """Print the differences of all scores, of all classes and of the pictures that changed most."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table(title=f"Scores on {comparison.pictures} pictures, in percent", title_justify="left")
    for name in ("", "A", "B", "B - A", "95 % of the draws"):
        table.add_column(name, justify="right" if name else "left")
    for row in comparison.headlines:
        table.add_row(*_cells(row))
    table.add_section()
    for row in comparison.classes:
        table.add_row(*_cells(row, "IoU of "))
    console.print(table)
    if comparison.pictures < FEW:
        console.print(
            f"* zero lies outside of the interval; of {comparison.pictures} pictures it is too narrow to trust.\n"
        )
    else:
        console.print("* zero lies outside of the interval: the difference is hardly chance.\n")
    console.print(_changed(comparison))
    console.print(comparison.verdict)


def _cells(row: "Difference", prefix: str = "") -> list[str]:
    difference = "-" if row.difference is None else f"{100 * row.difference:+.2f}{'*' if row.certain else ' '}"
    limits = "-" if row.interval is None else "[{:+.2f}, {:+.2f}]".format(*(100 * limit for limit in row.interval))
    return [
        prefix + row.name,
        *("-" if value is None else f"{100 * value:.2f}" for value in row[1:3]),
        difference,
        limits,
    ]


def _changed(comparison: "Comparison") -> str:
    changed = [change for change in comparison.changes[:SHOWN] if change.a != change.b]
    lines = [
        f"  {100 * (change.b - change.a):+7.2f}  from {100 * change.a:6.2f} to {100 * change.b:6.2f}  {change.name}"
        for change in changed
    ]
    if not lines:
        return "No picture changed.\n"
    return "\n".join(["The pictures whose own mean IoU changed most:", *lines, ""])
