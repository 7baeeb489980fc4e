"""`atrous predict`: pictures in, masks out."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.options import (
    Crf,
    CrfFile,
    Flip,
    Model,
    OutputStride,
    PrecisionName,
    Quiet,
    RuntimeName,
    Scales,
    chosen_crf,
    chosen_runtime,
    chosen_views,
)
from atrous.errors import ConfigError, ImageError, OutputError

if TYPE_CHECKING:
    from atrous.inference.predictor import Prediction
    from atrous.labels import LabelSpace

SAVED = {"mask": ".png", "overlay": "_overlay.jpg", "color": "_color.png", "labelme": ".json"}
"""What can be written for each picture, and how the names of its files end."""
TOGETHER = {"cvat": "annotations.xml", "coco": "annotations.json"}
"""What can be written for all pictures together, from their masks."""


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
            "--save", help="What to write, with commas: mask (class indices), overlay, color; labelme, cvat, coco."
        ),
    ] = "mask,overlay",
    output_stride: OutputStride = None,
    scales: Scales = "1",
    flip: Flip = False,
    crf: Crf = False,
    crf_config: CrfFile = None,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    quiet: Quiet = False,
) -> None:
    """Segment pictures: one mask per picture, of exactly its size.

    NAME.png is the mask: a palette PNG that looks coloured and holds class indices. NAME_overlay.jpg is the picture
    with the classes' colours over it, NAME_color.png the colours alone. As polygons, for annotation tools: labelme
    writes a NAME.json for each picture, cvat one annotations.xml and coco one annotations.json for all. A picture that
    cannot be read is reported and does not stop the others; the exit code is then 1.
    """
    from atrous.images import find_images, unique_stems
    from atrous.inference.opening import open_predictor
    from atrous.progress import terminal_progress, track

    progress = terminal_progress(quiet=quiet)
    wanted = _parse_save(save)
    paths = find_images(inputs)
    chosen, exactly = chosen_runtime(runtime, precision)
    predictor = open_predictor(
        model,
        crf=chosen_crf(crf=crf, crf_config=crf_config),
        views=chosen_views(scales, flip=flip),
        output_stride=output_stride,
        runtime=chosen,
        precision=exactly,
        progress=progress,
    )
    failures: list[Path] = []
    pairs = list(zip(paths, unique_stems(paths), strict=True))
    _require_inputs_kept(paths, [file for _, stem in pairs for file in _files(output, stem, wanted).values()])
    for path, stem in track(pairs, progress, "Segmenting", len(pairs)):
        try:
            prediction = predictor(path)
        except ImageError as error:
            failures.append(path)
            print(f"Error: {error}", file=sys.stderr)
        else:
            _save(prediction, path, _files(output, stem, wanted))
    done = [(path, output / f"{stem}.png") for path, stem in pairs if path not in failures]
    _save_together(done, output, wanted, predictor.labels)
    written = len(done)
    pictures = "1 picture" if len(paths) == 1 else f"{len(paths)} pictures"
    progress.say(f"{written} of {pictures} segmented; results in {output}" if written else f"0 of {pictures} segmented")
    if failures:
        raise typer.Exit(1)


def _parse_save(text: str) -> list[str]:
    from atrous.config import nearest

    wanted = [word.strip() for word in text.split(",")]
    for word in wanted:
        if word not in SAVED and word not in TOGETHER:
            raise ConfigError(f"--save knows no `{word}`: {nearest(word, [*SAVED, *TOGETHER])}.")
    together = any(word in TOGETHER for word in wanted)
    return ["mask", *wanted] if together and "mask" not in wanted else wanted  # they are made of the masks


def _files(output: Path, stem: str, wanted: list[str]) -> dict[str, Path]:
    """Where each kind of result of a picture goes."""
    return {word: output / f"{stem}{SAVED[word]}" for word in wanted if word in SAVED}


def _require_inputs_kept(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuse an output folder in which a result would replace one of the pictures themselves."""
    precious = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in precious:
            raise OutputError(f"The result {path} would replace the picture itself: choose another --output.")


def _save_together(done: list[tuple[Path, Path]], output: Path, wanted: list[str], labels: "LabelSpace") -> None:
    """Write what all pictures share, from the masks of those that could be read."""
    from atrous.data.labelled import LabelledImage
    from atrous.data.to_coco import write_coco
    from atrous.data.to_cvat import write_cvat
    from atrous.images import read_mask

    for word, name in TOGETHER.items():
        if word in wanted:
            images = (LabelledImage(picture.name, read_mask(mask)) for picture, mask in done)
            write = write_cvat if word == "cvat" else write_coco
            write(output / name, output.resolve().name, images, labels)


def _save(prediction: "Prediction", picture: Path, files: dict[str, Path]) -> None:
    from atrous.data.labelled import LabelledImage
    from atrous.data.to_labelme import write_labelme
    from atrous.images import write_image

    for word, path in files.items():
        match word:
            case "mask":
                prediction.save(path)
            case "overlay":
                write_image(path, prediction.overlay())
            case "labelme":
                seen_from_there = os.path.relpath(picture.resolve(), path.resolve().parent)
                write_labelme(path, LabelledImage(seen_from_there, prediction.mask), prediction.labels)
            case _:
                write_image(path, prediction.color())
