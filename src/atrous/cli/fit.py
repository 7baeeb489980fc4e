"""`atrous fit`: a training that plans itself, for the minutes that there are."""

import shlex
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Choices, Dataset, Overwrite, Quiet, program

if TYPE_CHECKING:
    from atrous.training.planning.choice import Choice


def fit(
    dataset: Dataset,
    choices: Choices = None,
    *,
    minutes: Annotated[
        float, typer.Option("--minutes", "-m", min=0.1, help="For everything, from now to the last score.")
    ] = 10.0,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option("--output", "-o", help="The run's folder; by default runs/fit_ and the data set's name."),
    ] = None,
    start_from: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--start-from", metavar="MODEL", help="Weights to start from, or none; by default the best at hand."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another one gives another run.")] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Look at the data and at this machine, plan a training for the minutes there are, say why, and train.

    The output folder is that of an ordinary run: its recipe.yaml says all that was chosen and can be changed and
    trained again. Ctrl-C saves and stops; `atrous train` with --resume goes on from there, without the clock.
    """
    began = monotonic()
    from atrous.data import parse_dataset
    from atrous.progress import duration, terminal_progress
    from atrous.training.fit import fit as run_fit
    from atrous.training.recipe import read_recipe
    from atrous.training.run_page import write_run_page

    progress = terminal_progress(quiet=quiet)
    result = run_fit(
        parse_dataset(dataset, choices or []),
        output,
        minutes=minutes,
        start_from=start_from,
        seed=seed,
        overwrite=overwrite,
        progress=progress,
        show=(lambda _: None) if quiet else print_choices,
        began=began,
        clock=monotonic,
    )
    state, folder = result.state, result.folder
    if not result.finished:
        words = [program(), "train", str(folder.recipe), "--output", str(folder.path), "--resume"]
        progress.say(f"Stopped at step {state.step} of {result.steps}; {folder.last} is usable.")
        progress.say(f"Go on, without the clock, with: {shlex.join(words)}")
        return
    write_run_page(folder, read_recipe(folder.recipe))
    took = duration(monotonic() - began)
    progress.say(f"Done in {took} of {duration(60 * minutes)}: mIoU {state.best_score:.1%} on val.")
    progress.say(f"Look at {folder.page}")
    progress.say(f"Next: {program()} predict {folder.best} YOUR_PHOTO.jpg")


def print_choices(choices: "tuple[Choice, ...]") -> None:
    """Print what was chosen and why, as a table that fits into the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("choice", no_wrap=True)
    table.add_column("value", style="bold", max_width=24)
    table.add_column("why")
    for choice in choices:
        table.add_row(choice.name, choice.value, choice.reason)
    Console(highlight=False, markup=False).print(table)
