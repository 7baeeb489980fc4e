"""Arguments and options that several commands share."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A checkpoint (.safetensors), a name of `atrous models`, or hf://owner/model."
    ),
]
Dataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="A folder with dataset.yaml, or KIND:PATH such as camvid:data/camvid.")
]
Choices = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Argument(metavar="KEY=VALUE", help="Choices of the kind, such as subset=true."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the output folder.")]


def program() -> str:
    """How to type this command again: `atrous` where the shell finds it, else the path by which it was called."""
    called = Path(sys.argv[0])
    if shutil.which("atrous") or called.name != "atrous":
        return "atrous"
    return os.path.relpath(called) if called.is_absolute() else str(called)


def flowing(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
