"""`atrous data`: what is done with data sets before and after training."""

import typer

from atrous.cli.data_convert import convert
from atrous.cli.data_download import download
from atrous.cli.data_export import export
from atrous.cli.options import flowing

data = typer.Typer(
    help="Data sets: fetch them, and bring them from one format into another.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (convert, download, export):
    data.command(help=flowing(command.__doc__ or ""))(command)
