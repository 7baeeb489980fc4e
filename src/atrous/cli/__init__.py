"""The command line: one file per command; heavy imports wait inside the functions, so that --help answers at once."""

import atexit
import gc
import os
import sys

import typer

from atrous.cli.bench import bench
from atrous.cli.compare import compare
from atrous.cli.crf import crf
from atrous.cli.data import data
from atrous.cli.demo import demo
from atrous.cli.doctor import doctor
from atrous.cli.evaluate import evaluate
from atrous.cli.export import export
from atrous.cli.fit import fit
from atrous.cli.import_weights import import_weights
from atrous.cli.models import models
from atrous.cli.options import flowing
from atrous.cli.predict import predict
from atrous.cli.serve import serve
from atrous.cli.train import train
from atrous.errors import AtrousError

CTRL_C = 130
"""What Typer makes of Ctrl-C: this exit code, and not a word."""


app = typer.Typer(
    name="atrous",
    help="The DeepLab family of semantic segmentation: which class is each pixel?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, fit, train, evaluate, compare, predict, export, serve, doctor):
    # Typer keeps the line breaks of a docstring, which then fall in the middle of the lines of a terminal.
    app.command(help=flowing(command.__doc__ or ""))(command)
app.command("import", help=flowing(import_weights.__doc__ or ""))(import_weights)
app.add_typer(bench, name="bench")
app.add_typer(crf, name="crf")
app.add_typer(data, name="data")
app.add_typer(models, name="models")


@app.callback(invoke_without_command=True)
def version(*, show_version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    """The DeepLab family of semantic segmentation: which class is each pixel?"""
    if show_version:
        from atrous import __version__

        print(f"atrous {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; what a user got wrong is one sentence and exit code 1."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to find that there are none takes its time
    atexit.register(gc.freeze)  # to collect all that torch has made, one last time, would take a second
    try:
        app()
    except AtrousError as error:
        if error.told:
            raise SystemExit(1) from None
        fail(str(error))
    except SystemExit as end:
        if end.code != CTRL_C:
            raise
        fail("Interrupted.")
    except OSError as error:
        from pathlib import Path

        from atrous.files import cannot_write

        fail(str(cannot_write(Path(error.filename or "."), error)))


def fail(sentence: str) -> None:
    """Show the sentence on standard error and leave with exit code 1."""
    print(f"Error: {sentence}", file=sys.stderr)
    raise SystemExit(1)
