"""`atrous predict`: pictures in, masks out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.options import Model, Quiet
from atrous.errors import ConfigError, ImageError, OutputError

if TYPE_CHECKING:
    from atrous.inference.predictor import Prediction

SAVED = {"mask": ".png", "overlay": "_overlay.jpg", "color": "_color.png"}
"""What can be written, and how the names of its files end."""


def predict(
    model: Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Pictures, folders of pictures, or glob patterns.")
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
    predictor = load(model, progress=progress)
    failures = 0
    pairs = list(zip(paths, unique_stems(paths), strict=True))
    _require_inputs_kept(paths, [file for _, stem in pairs for file in _files(output, stem, wanted).values()])
    for path, stem in track(pairs, progress, "Segmenting", len(pairs)):
        try:
            prediction = predictor(path)
        except ImageError as error:
            failures += 1
            print(f"Error: {error}", file=sys.stderr)
        else:
            _save(prediction, _files(output, stem, wanted))
    written = len(paths) - failures
    pictures = "1 picture" if len(paths) == 1 else f"{len(paths)} pictures"
    progress.say(f"{written} of {pictures} segmented; results in {output}" if written else f"0 of {pictures} segmented")
    if failures:
        raise typer.Exit(1)


def _parse_save(text: str) -> list[str]:
    from atrous.config import nearest

    wanted = [word.strip() for word in text.split(",")]
    for word in wanted:
        if word not in SAVED:
            raise ConfigError(f"--save knows no `{word}`: {nearest(word, SAVED)}.")
    return wanted


def _files(output: Path, stem: str, wanted: list[str]) -> dict[str, Path]:
    """Where each kind of result of a picture goes."""
    return {word: output / f"{stem}{SAVED[word]}" for word in wanted}


def _require_inputs_kept(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuse an output folder in which a result would replace one of the pictures themselves."""
    precious = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in precious:
            raise OutputError(f"The result {path} would replace the picture itself: choose another --output.")


def _save(prediction: "Prediction", files: dict[str, Path]) -> None:
    from atrous.images import write_image

    for word, path in files.items():
        match word:
            case "mask":
                prediction.save(path)
            case "overlay":
                write_image(path, prediction.overlay())
            case _:
                write_image(path, prediction.color())
