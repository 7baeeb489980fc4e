"""`atrous predict`: pictures in, masks out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.options import Model, Quiet
from atrous.errors import AtrousError, ConfigError

if TYPE_CHECKING:
    from atrous.inference.predictor import Prediction

SAVED = ("mask", "overlay", "color")


def predict(
    model: Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Pictures, folders of pictures, or glob patterns.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go.")] = Path("masks"),
    save: Annotated[
        str,
        typer.Option(
            "--save", help="What to write, with commas: mask (class indices), overlay, color (colours alone)."
        ),
    ] = "mask,overlay",
    quiet: Quiet = False,
) -> None:
    """Segment pictures: one mask per picture, of exactly its size.

    NAME.png is the mask: a palette PNG that looks coloured and holds class indices. NAME_overlay.jpg is the picture
    with the classes' colours over it, NAME_color.png the colours alone. A picture that cannot be read is reported and
    does not stop the others; the exit code is then 1.
    """
    from atrous.images import find_images, unique_stems
    from atrous.inference.predictor import load
    from atrous.progress import terminal_progress, track

    progress = terminal_progress(quiet=quiet)
    wanted = _parse_save(save)
    paths = find_images(inputs)
    predictor = load(model)
    failures: list[str] = []
    pairs = list(zip(paths, unique_stems(paths), strict=True))
    for path, stem in track(pairs, progress, "Segmenting", len(pairs)):
        try:
            _save(predictor(path), output, stem, wanted)
        except AtrousError as error:
            failures.append(str(error))
            typer.echo(f"Error: {error}", err=True)
    progress.say(f"{len(paths) - len(failures)} of {len(paths)} pictures are in {output}")
    if failures:
        raise typer.Exit(1)


def _parse_save(text: str) -> list[str]:
    from atrous.config import nearest

    wanted = [word.strip() for word in text.split(",")]
    for word in wanted:
        if word not in SAVED:
            raise ConfigError(f"--save knows no `{word}`: {nearest(word, SAVED)}.")
    return wanted


def _save(prediction: "Prediction", output: Path, stem: str, wanted: list[str]) -> None:
    from atrous.images import write_image

    if "mask" in wanted:
        prediction.save(output / f"{stem}.png")
    if "overlay" in wanted:
        write_image(output / f"{stem}_overlay.jpg", prediction.overlay())
    if "color" in wanted:
        write_image(output / f"{stem}_color.png", prediction.color())
