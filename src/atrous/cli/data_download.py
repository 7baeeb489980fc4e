"""`atrous data download`: a well-known data set, or what to do to get it."""

from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.options import Quiet


def download(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="voc, voc2007, sbd, coco-stuff, coco-stuff-10k, camvid, pets, ade20k; cityscapes, deepfashion2 and "
            "ade20k-full say how to ask for them.",
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where its files go.")],
    *,
    quiet: Quiet = False,
) -> None:
    """Fetch a well-known data set from its makers, check it, and say how it is read.

    Interrupted, it goes on when it is run again. What needs a login is explained step by step.
    """
    from atrous.data.downloads import download_dataset, release_of
    from atrous.progress import terminal_progress

    release = release_of(name, folder)
    if not quiet:
        print(f"{release.title}: {release.size}. Terms: {release.terms}.")
    download_dataset(name, folder, terminal_progress(quiet=quiet))
    if not quiet:
        print(f"Read it as {release.kind}:{folder}")
