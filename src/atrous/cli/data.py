"""`atrous data`: what is done with data sets before and besides training."""

import typer

from atrous.cli.data_check import check
from atrous.cli.data_split import split
from atrous.cli.data_stats import stats

data = typer.Typer(
    help="Check, describe and split data sets.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def flowing(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


for command in (check, split, stats):
    data.command(help=flowing(command.__doc__ or ""))(command)
