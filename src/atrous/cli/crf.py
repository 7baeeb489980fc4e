"""`atrous crf`: what concerns the dense CRF alone."""

from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.options import CrfFile, Dataset, Model, Quiet, chosen_crf, flowing

crf = typer.Typer(
    help="Dense CRF: search the one that suits a network and a data set.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@crf.callback()
def group() -> None:
    """Keep `tune` a command of its own while it is the only one."""


def tune(
    model: Model,
    dataset: Dataset,
    *,
    split: Annotated[str, typer.Option("--split", help="Which part of the data set to search on.")] = "val",
    output: Annotated[Path, typer.Option("--output", "-o", help="The YAML file to write.")] = Path("crf.yaml"),
    pictures: Annotated[int, typer.Option("--pictures", min=1, help="How many pictures to look at.")] = 20,
    crf_config: CrfFile = None,
    quiet: Quiet = False,
) -> None:
    """Search the kernels of a dense CRF by the mean IoU on a few pictures, beginning with DeepLab v2's.

    The result is a file for --crf-config of `atrous predict` and `atrous evaluate`. Report scores on another split than
    the one that was searched on.
    """
    from atrous.data import open_split, parse_dataset
    from atrous.evaluation.crf_search import search_crf
    from atrous.files import write_text
    from atrous.inference.predictor import load
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    start = chosen_crf(crf=True, crf_config=crf_config)
    data = open_split(parse_dataset(dataset), split)
    found = search_crf(load(model, progress=progress), data, start=start, pictures=pictures, progress=progress)
    scores = (
        f"mIoU {found.plain_score:.2%} without a CRF, {found.start_score:.2%} at the start, {found.score:.2%} now, "
        f"on {found.pictures} pictures of {data.title} {split}"
    )
    choices = found.config.model_dump(exclude_none=True)
    lines = [f"{name}: {_yaml(value)}" for name, value in choices.items()]
    write_text(output, "\n".join([f"# {' '.join(scores.split())}; flattered by the search.", *lines, ""]))
    progress.say(f"{scores}; written: {output}")


def _yaml(value: object) -> str:
    return str([list(row) for row in value]) if isinstance(value, tuple) else str(value)


crf.command(help=flowing(tune.__doc__ or ""))(tune)
