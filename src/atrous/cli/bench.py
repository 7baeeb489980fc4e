"""`atrous bench`: tables of many measurements."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from atrous.cli.options import (
    Choices,
    CrfFile,
    Dataset,
    Model,
    PrecisionName,
    Quiet,
    RuntimeName,
    chosen_crf,
    chosen_runtime,
    chosen_views,
    flowing,
)

bench = typer.Typer(
    help="Tables of many measurements, as Markdown.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@bench.callback()
def group() -> None:
    """Keep `grid` a command of its own while it is the only one."""


def grid(
    model: Model,
    dataset: Dataset,
    choices: Choices = None,
    *,
    split: Annotated[str, typer.Option("--split", help="Which part of the data set to score.")] = "val",
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of grid.md and the reports.")] = Path(
        "grid"
    ),
    also: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Option("--also", metavar="MODEL", help="A further model, such as one with another decoder; repeat it."),
    ] = None,
    output_strides: Annotated[
        str, typer.Option("--output-strides", metavar="LIST", help="Such as 16,8; by default the network's own.")
    ] = "",
    scales: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--scales", metavar="LIST", help="Scales to average, such as 0.75,1,1.25; repeat it for more rows."
        ),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Show each row also with the mirror image.")] = False,
    crf: Annotated[bool, typer.Option("--crf", help="Show each row also with a dense CRF.")] = False,
    crf_config: CrfFile = None,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    quiet: Quiet = False,
) -> None:
    """Score models under every combination of choices, and write the table as the papers print it.

    Every row's report.json lies in a folder of its own, so that `atrous compare` can tell which differences are chance.
    One scale is always the first row.
    """
    from atrous.data import open_split, parse_dataset
    from atrous.evaluation.grid import Row, markdown, measured, settings
    from atrous.evaluation.report import write_report
    from atrous.files import write_text
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    strides = _whole_numbers(output_strides)
    seen = list(dict.fromkeys([(1.0,), *(chosen_views(each, flip=False).scales for each in scales or [])]))
    refining = chosen_crf(crf=crf, crf_config=crf_config)
    chosen, exactly = chosen_runtime(runtime, precision)
    data = open_split(parse_dataset(dataset, choices or []), split)
    rows: list[Row] = []
    table = list(settings([model, *(also or [])], strides, seen, refining, flip=flip))
    for number, setting in enumerate(table, 1):
        progress.say(f"{number} of {len(table)}: {setting.folder}")
        rows.append(measured(setting, data, chosen, exactly, progress))
        write_report(output / setting.folder / "report.json", rows[-1].report)
        write_text(output / "grid.md", markdown(rows))  # what is done is there, should a later row fail
    if not quiet:
        print(markdown(rows))
        print(f"Written: {output / 'grid.md'}")


def _whole_numbers(text: str) -> list[int]:
    from atrous.errors import ConfigError

    try:
        return [int(word) for word in text.split(",") if word]
    except ValueError:
        raise ConfigError(f"--output-strides {text} is no list of whole numbers: write 16,8.") from None


bench.command(help=flowing(grid.__doc__ or ""))(grid)
