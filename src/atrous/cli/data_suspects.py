"""`atrous data suspects`: labels that a confident network contradicts, the most suspicious first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Choices, Dataset, Flip, Quiet, Scales, chosen_views
from atrous.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.data.samples import SegmentationDataset
    from atrous.evaluation.suspects import Judge, Suspect
    from atrous.inference.views import Views
    from atrous.labels import LabelSpace
    from atrous.progress import Progress

LISTED = 20
"""Suspects on the terminal."""


def suspects(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A checkpoint, an exported file or a name; with --folds the recipe to train by."
        ),
    ],
    dataset: Dataset,
    choices: Choices = None,
    *,
    split: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option("--split", help="Which pictures are judged: by default val, with --folds train."),
    ] = None,
    folds: Annotated[
        int,
        typer.Option("--folds", min=0, help="Train so many networks by the recipe, each judging what it never saw."),
    ] = 0,
    group: Annotated[
        str,
        typer.Option("--group", help="With --folds, as of `atrous data split`: what stays in one fold, by name."),
    ] = "",
    first: Annotated[
        int, typer.Option("--first", min=1, help="How many suspects the page shows and --export covers.")
    ] = 100,
    export: Annotated[
        str,
        typer.Option("--export", metavar="FORMAT", help="Write their pictures for correction: cvat, labelme, coco."),
    ] = "",
    scales: Scales = "1",
    flip: Flip = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for all that is written.")] = Path(
        "suspects"
    ),
    quiet: Quiet = False,
) -> None:
    """Find labels that may be wrong: areas where a confident network contradicts them, ranked by the evidence.

    The folder gets suspects.csv and suspects.json with all of them, report.html with crops of the first ones, and for
    --export a folder with the pictures and labels of these, in their order, to be corrected. Give a network that has
    not learned from these very labels; where there is none, --folds 5 with a recipe trains five, each without the
    pictures that it judges.
    """
    from atrous.config import parse
    from atrous.data import open_split, parse_dataset
    from atrous.data.export import ExportFormat
    from atrous.evaluation.suspects import find_suspects
    from atrous.evaluation.suspects_files import export_suspects, write_suspects_csv, write_suspects_json
    from atrous.evaluation.suspects_page import write_suspects_page
    from atrous.progress import terminal_progress

    kind: ExportFormat | None = parse(ExportFormat, export, "--export") if export else None
    progress = terminal_progress(quiet=quiet)
    data = open_split(parse_dataset(dataset, choices or []), split or ("train" if folds else "val"))
    if kind:
        _require_empty(output / kind)
    judges = _judges(model, data, folds, group, chosen_views(scales, flip=flip), output, progress)
    found = find_suspects(judges, data, progress)
    name = judges[0].predictor.name if not folds else f"{folds} networks, each without the pictures that it judged"
    write_suspects_csv(output / "suspects.csv", found, data.labels)
    write_suspects_json(output / "suspects.json", found, data, name)
    shown = found[:first]
    write_suspects_page(output / "report.html", shown, data, judges, model=name, total=len(found), progress=progress)
    if not quiet:
        print_suspects(found, data.labels)
    if kind and shown:
        pictures = export_suspects(shown, data, output / kind, kind, progress)
        progress.say(f"{pictures} picture{'s' * (pictures != 1)} to correct: {output / kind}")
    if not quiet:
        print(f"\nWritten: {output / 'suspects.csv'}, {output / 'suspects.json'}, {output / 'report.html'}")


def _require_empty(folder: Path) -> None:
    """Refuse, before minutes of work, a place that could not be written."""
    from atrous.errors import OutputError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is there already, perhaps with corrections: give another --output, or move it.")


def _judges(
    model: str,
    data: "SegmentationDataset",
    folds: int,
    group: str,
    views: "Views",
    output: Path,
    progress: "Progress",
) -> "list[Judge]":
    """One network for all pictures, or one per fold."""
    is_recipe = model.lower().endswith((".yaml", ".yml"))
    if is_recipe != (folds > 0):
        raise ConfigError(
            f"{model} is a recipe: say with --folds, such as --folds 5, how many networks it is to train."
            if is_recipe
            else f"--folds trains networks, and {model} is no recipe: give a .yaml such as those in recipes/."
        )
    if not folds:
        from atrous.evaluation.suspects import Judge
        from atrous.inference.opening import open_predictor

        return [Judge(open_predictor(model, views=views, progress=progress), range(len(data)))]
    from atrous.data.splits import groups_by_pattern
    from atrous.training.cross_fitting import cross_fit
    from atrous.training.recipe import read_recipe

    group_of = groups_by_pattern(group) if group else None
    recipe, place = read_recipe(Path(model)), output / "folds"
    return cross_fit(recipe, data, folds, place, group_of=group_of, views=views, progress=progress)


def print_suspects(found: "Sequence[Suspect]", labels: "LabelSpace") -> None:
    """Print the first suspects as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not found:
        console.print("No area contradicts its label.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "picture", "label", "network sees", "at x, y", "pixels", "evidence"):
        table.add_column(column, justify="left" if column in ("picture", "label", "network sees") else "right")
    for place, (_, name, _, region) in enumerate(found[:LISTED], start=1):
        left, top, right, bottom = region.box
        table.add_row(
            str(place),
            name,
            labels.names[region.given],
            f"{labels.names[region.predicted]} ({region.predicted_probability:.0%})",
            f"{(left + right) // 2}, {(top + bottom) // 2}",
            f"{region.pixels:,}",
            f"{region.evidence:.2f}",
        )
    console.print(table)
    pictures = len({suspect.picture for suspect in found})
    more = f"; the first {LISTED} are shown" if len(found) > LISTED else ""
    console.print(f"{len(found):,} suspicious areas in {pictures:,} picture{'s' * (pictures != 1)}{more}.")
