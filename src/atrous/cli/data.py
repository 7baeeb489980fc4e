"""`atrous data`: what is done with data sets before and besides training."""

import typer

from atrous.cli.data_check import check
from atrous.cli.data_convert import convert
from atrous.cli.data_download import download
from atrous.cli.data_export import export
from atrous.cli.data_split import split
from atrous.cli.data_stats import stats
from atrous.cli.data_suspects import suspects
from atrous.cli.options import flowing

data = typer.Typer(
    help="Data sets: fetch, convert, check, describe, split and correct them, and hand them to annotation tools.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (check, convert, download, export, split, stats, suspects):
    data.command(help=flowing(command.__doc__ or ""))(command)
