"""`atrous models`: which networks there are, and how they come here and go to the hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.models_convert import convert, halve
from atrous.cli.models_describe import describe
from atrous.cli.options import Quiet

if TYPE_CHECKING:
    from rich.console import Console

    from atrous.weights.catalog import ReleasedWeights

models = typer.Typer(
    help="List the networks of the family; `atrous models describe` shows one of them, stage by stage.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WIDE = 100
"""Characters per line from which there is room for what a score was measured on."""


@models.callback()
def list_models(context: typer.Context) -> None:
    """List the networks of the family, their backbones, and how to see one of them."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from atrous.networks.family_members import BACKBONES, MEMBERS

    console = Console(highlight=False, markup=False)
    for title, first, entries in (("Networks", "kind", MEMBERS), ("Backbones", "kind", BACKBONES)):
        table = Table(title=title, title_justify="left", show_header=True)
        table.add_column(first, no_wrap=True)
        table.add_column("what it is")
        table.add_column("source")
        for kind, (what, source) in entries.items():
            table.add_row(kind, what, source)
        console.print(table)
    print_bundled(console)
    print_catalog(console)
    console.print("What one is made of: atrous models describe deeplab_v3plus backbone.kind=xception")


def print_bundled(console: "Console") -> None:
    """Print the models that come with the package."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from atrous.weights.bundled import bundled_names
    from atrous.weights.checkpoint import read_info
    from atrous.weights.finding import find_model

    if not bundled_names():
        return
    title = "Models that come with the package, by these names wherever a MODEL is asked for"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("network")
    table.add_column("classes", justify="right")
    table.add_column("MB", justify="right")
    for name in bundled_names():
        path = find_model(name)
        info = read_info(path)
        what = f"{info.network.kind} on {info.network.backbone.kind}"
        table.add_row(name, what, str(info.labels.num_classes), f"{path.stat().st_size / 1e6:.1f}")
    console.print(table)


def print_catalog(console: "Console") -> None:
    """Print the released weights: which network, the first of the published scores, and whether they are here."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from atrous.weights.catalog import CATALOG

    wide = console.width >= WIDE
    title = "Released weights, by these names wherever a MODEL is asked for"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("network")
    table.add_column("mIoU", no_wrap=True, justify="left" if wide else "right")
    table.add_column("state", no_wrap=True)
    for entry in CATALOG:
        score = next((f"{s.mean_iou:.1f} {s.data}" if wide else f"{s.mean_iou:.1f}" for s in entry.scores), "-")
        table.add_row(entry.name, entry.what, score, state_of(entry))
    console.print(table)
    console.print(
        "What is not here is fetched when it is first asked for; by hand: its host wants a browser. mIoU as published; "
        "how it was measured, with licence and address: atrous models describe NAME"
    )


def state_of(entry: "ReleasedWeights") -> str:
    """Whether released weights are here, and else what is to be fetched."""
    from atrous.weights.finding import checkpoint_of

    if checkpoint_of(entry).exists():
        return "here"
    if entry.not_read:
        return "not read"
    if not entry.addresses:
        return "by hand"
    return "to fetch" if entry.megabytes is None else f"{entry.megabytes:.0f} MB"


def download_model(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="A name that `atrous models` lists, or hf://owner/model.")
    ],
    *,
    quiet: Quiet = False,
) -> None:
    """Fetch released weights and import them; wherever a MODEL is asked for this happens by itself."""
    from atrous.progress import terminal_progress
    from atrous.weights.finding import find_model

    path = find_model(model, terminal_progress(quiet=quiet))
    if not quiet:
        print(f"Here: {path}")


def upload(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A checkpoint of atrous (.safetensors).")],
    place: Annotated[str, typer.Argument(metavar="hf://OWNER/MODEL", help="Where it goes; your login is the hub's.")],
) -> None:
    """Store a checkpoint on the Hugging Face hub (pip install 'atrous[hub]')."""
    from atrous.weights.hub import to_hub

    print(f"Stored: {to_hub(model, place)}")


models.command("download")(download_model)
for command in (upload, describe, convert, halve):
    models.command()(command)
