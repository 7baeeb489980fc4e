"""`atrous train`: from a recipe to a run folder."""

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from atrous.cli.options import Overwrite, Quiet, program


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file such as those in recipes/.")],
    overrides: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Argument(metavar="KEY=VALUE", help="Changes to the recipe, such as training.steps=100."),
    ] = None,
    *,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", help="The run's folder; by default runs/ and the recipe's name."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run that is in the output folder.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a network as a recipe says.

    The output folder gets the checkpoints best.safetensors and last.safetensors, logs (JSON lines, CSV, TensorBoard),
    settings.json (what was really set), first_batch.png (what the network saw first), report.json and report.html.
    Ctrl-C saves and stops; --resume goes on from there.
    """
    if resume and overwrite:
        raise typer.BadParameter("give either --resume or --overwrite, not both")
    from atrous.progress import duration, terminal_progress
    from atrous.training.distributed import joined
    from atrous.training.recipe import read_recipe
    from atrous.training.run_page import write_run_page
    from atrous.training.selection import describe_score
    from atrous.training.train import train as run_training

    with joined() as processes:
        progress = terminal_progress(quiet=quiet or not processes.main)
        settings = processes.from_main(lambda: read_recipe(recipe, overrides or []))
        folder = output or Path("runs") / settings.name
        result = run_training(
            settings, folder, resume=resume, overwrite=overwrite, progress=progress, processes=processes
        )
        if result.finished and processes.main:
            write_run_page(result.folder, settings)
    state = result.state
    if result.finished:
        score = f"{describe_score(settings.training)} {state.best_score:.1%} on {settings.training.validate_on}"
        progress.say(f"Done in {duration(state.seconds)} of training: {score}.")
        progress.say(f"Look at {result.folder.page}")
        progress.say(f"Next: {program()} predict {result.folder.best} YOUR_PHOTO.jpg")
    else:
        words = [program(), "train", str(result.folder.recipe), "--output", str(folder), "--resume"]
        progress.say(f"Stopped at step {state.step} of {result.steps}; {result.folder.last} is usable.")
        progress.say(f"Go on with: {shlex.join(words)}")
