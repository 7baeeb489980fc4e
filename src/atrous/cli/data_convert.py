"""`atrous data convert`: any data set as a folder in our own format."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Quiet

if TYPE_CHECKING:
    from atrous.data.adding import Added
    from atrous.data.convert import WrittenSplit


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A folder or archive, or KIND:PATH such as voc:data/VOC2012.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="The folder to write; empty, or not there yet, without --add.")
    ],
    choices: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Argument(metavar="KEY=VALUE", help="Choices of the kind, such as subset=true or classes=breed."),
    ] = None,
    *,
    kind: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--from", help="The kind of data set: voc, coco, cvat, labelme, colour-masks ..."),
    ] = None,
    split: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--split", help="A split to write; can be repeated. By default all that there are."),
    ] = None,
    add: Annotated[
        bool,
        typer.Option("--add", help="Add to the data set in DST; a picture that it has gets the new labels."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a data set of any kind as a folder with pictures, palette masks and a dataset.yaml.

    JPEG and PNG pictures are copied byte for byte. Interrupted, it goes on when it is run again. With --add, classes
    are matched by their names, and pictures without a split go into train.
    """
    from atrous.data import open_split, parse_dataset, splits_of
    from atrous.data.adding import add_to_folder
    from atrous.data.convert import convert_dataset
    from atrous.progress import terminal_progress

    config = parse_dataset(source if kind is None else f"{kind}:{source}", choices or [])
    datasets = [open_split(config, name) for name in split or splits_of(config)]
    progress = terminal_progress(quiet=quiet)
    if add:
        added = add_to_folder(datasets, target, progress)
        if not quiet:
            print_added(datasets[0].title, added, target)
        return
    written = convert_dataset(datasets, target, config.model_dump_json(), progress)
    if not quiet:
        print_written(datasets[0].title, written, target)


def print_written(title: str, written: "list[WrittenSplit]", target: Path) -> None:
    """Print how many pictures each split has, and how many pixels several shapes had claimed."""
    print(f"{title}:")
    for split, pictures, overwritten, passed_over in written:
        note = "" if overwritten is None else f", {overwritten:,} pixels claimed by shapes of several classes"
        note += f", {passed_over:,} object{'s' * (passed_over != 1)} without an area left out" if passed_over else ""
        print(f"  {split}: {pictures:,} picture{'s' * (pictures != 1)}{note}")
    print(f"Written: {target}")


def print_added(title: str, added: "list[Added]", target: Path) -> None:
    """Print how many pictures each split was given."""
    print(f"{title}:")
    for split, new, corrected, unchanged in added:
        print(f"  {split}: {new:,} new, {corrected:,} with other labels than before, {unchanged:,} as they were")
    print(f"Added to: {target}")
