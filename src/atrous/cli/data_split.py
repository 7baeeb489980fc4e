"""`atrous data split`: a data set divided anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Choices, Dataset, Quiet
from atrous.errors import ConfigError

if TYPE_CHECKING:
    from atrous.data.splits import Division
    from atrous.labels import LabelSpace


def split(
    dataset: Dataset,
    output: Annotated[Path, typer.Argument(metavar="DST", help="The folder for the new data set.")],
    choices: Choices = None,
    *,
    fractions: Annotated[
        str, typer.Option("--fractions", help="The new splits and their shares.")
    ] = "train=0.8,val=0.2",
    group: Annotated[
        str,
        typer.Option("--group", help="A regular expression on names: what its parentheses match stays together."),
    ] = "",
    groups: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option("--groups", help="A CSV of name,group: pictures of one group stay together."),
    ] = None,
    sources: Annotated[
        str, typer.Option("--from", help="Which splits to divide, with commas; by default all of them.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another one gives another division.")] = 0,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy files; otherwise they are linked and cost no space.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Divide a data set anew: every class with its share in each split, groups never torn, the same for a seed.

    Frames of one video, or pictures of one patient, belong into one split: --group '^([^_]+)' keeps all together
    whose names are the same up to the first underscore.
    """
    from atrous.data import open_split, parse_dataset, splits_of
    from atrous.data.processes import default_workers
    from atrous.data.splits import divide, groups_by_pattern, groups_by_table, parse_fractions, write_division
    from atrous.progress import terminal_progress

    if group and groups:
        raise ConfigError("--group and --groups both say what stays together: give one of them.")
    shares = parse_fractions(fractions)
    config = parse_dataset(dataset, choices or [])
    names = [name.strip() for name in sources.split(",") if name.strip()] or splits_of(config)
    datasets = [open_split(config, name) for name in names]
    group_of = groups_by_pattern(group) if group else groups_by_table(groups) if groups else None
    progress = terminal_progress(quiet=quiet)
    division = divide(datasets, shares, group_of=group_of, seed=seed, progress=progress, workers=default_workers())
    write_division(output, division, datasets, copy=copy, progress=progress)
    if not quiet:
        print_division(division, datasets[0].labels, grouped=group_of is not None)
        print(f"\nWritten: {output}, with split.csv. Check it: atrous data check {output}")


def print_division(division: "Division", labels: "LabelSpace", *, grouped: bool) -> None:
    """Print how many pictures each split got, and its share of each class."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Share of the pictures that show a class", title_justify="left")
    table.add_column("class", no_wrap=True)
    for name in division.splits:
        table.add_column(name, justify="right")
    for place, shares in enumerate(division.shares().T):
        if not (shares != shares).any():  # a class of no picture has no share
            table.add_row(labels.names[place], *(f"{100 * share:.1f} %" for share in shares))
    table.add_section()
    table.add_row("pictures", *(f"{(division.split_of == place).sum():,}" for place in range(len(division.splits))))
    if grouped:
        groups = [
            {group for group, split in zip(division.groups, division.split_of, strict=True) if split == place}
            for place in range(len(division.splits))
        ]
        table.add_row("groups", *(f"{len(found):,}" for found in groups))
    Console(highlight=False, markup=False).print(table)
