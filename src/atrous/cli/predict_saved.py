"""What `atrous predict` writes of each picture, and what of it cannot be had."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.cli.predict_annotations import FOR_ANNOTATORS, TOGETHER
from atrous.cli.predict_rasters import OF_RASTERS
from atrous.errors import ConfigError

if TYPE_CHECKING:
    from atrous.cli.predict_inputs import Inputs
    from atrous.images import ReadableFile
    from atrous.inference.predictor import Prediction
    from atrous.inference.recording import Shown
    from atrous.inference.sliding_window import AnyPredictor

SAVED = {
    "mask": ".png",
    "overlay": "_overlay.jpg",
    "color": "_color.png",
    "probabilities": "_probabilities.npz",
    "labelme": ".json",
    "polygons": ".geojson",
}
"""What can be written for each picture, and how the names of its files end."""
OF_VIDEOS: "tuple[Shown, ...]" = ("mask", "overlay", "color")
"""What can be written for videos."""
DEFAULT = "mask,overlay"


def words_to_save(save: str | None, given: "Inputs", *, show: bool) -> list[str]:
    """The words of --save, or what is written without it; --show alone writes nothing.

    Raises:
        ConfigError: If a word is unknown, or is not for what was given.
    """
    from atrous.config import nearest

    text = ("" if show else DEFAULT) if save is None else save
    wanted = [word.strip() for word in text.split(",")] if text or not show else []
    for word in wanted:
        if word not in SAVED and word not in TOGETHER:
            raise ConfigError(f"--save knows no `{word}`: {nearest(word, [*SAVED, *TOGETHER])}.")
        if word not in OF_VIDEOS and (given.videos or given.cameras):
            raise ConfigError(f"--save {word} is for pictures: of a video there are {', '.join(OF_VIDEOS)}.")
    if show and given.pictures:
        raise ConfigError("--show is for videos and cameras: leave it out for pictures.")
    together = any(word in TOGETHER for word in wanted)
    return ["mask", *wanted] if together and "mask" not in wanted else wanted  # they are made of the masks


def require_for_rasters(wanted: list[str], rasters: Sequence[tuple[Path, str]]) -> None:
    """Refuse what is not written of rasters.

    Raises:
        ConfigError: It names a raster.
    """
    for word in wanted:
        if rasters and word not in OF_RASTERS:
            known = ", ".join(OF_RASTERS)
            raise ConfigError(f"--save {word} is for pictures: of a raster such as {rasters[0][0]} there are {known}.")


def require_probabilities(wanted: list[str], predictor: "AnyPredictor") -> None:
    """Refuse probabilities of a file that gives none.

    Raises:
        ConfigError: It says how to get them.
    """
    from atrous.inference.exported import ExportedPredictor

    if "probabilities" in wanted and isinstance(predictor, ExportedPredictor) and predictor.card.output == "labels":
        raise ConfigError(
            f"{predictor.name} was exported with labels alone: export it with --output logits for its probabilities."
        )


def require_one_process(wanted: list[str], several: bool) -> None:
    """Refuse files for all pictures together where each process has a part of them.

    Raises:
        ConfigError: It says how to get them.
    """
    together = [word for word in wanted if word in FOR_ANNOTATORS]
    if several and together:
        raise ConfigError(
            f"--save {together[0]} needs all masks, of which each of several processes has a part: write the masks "
            f"first, then run the same in one process with --resume."
        )


def picture_files(output: Path, stem: str, wanted: list[str]) -> dict[str, Path]:
    """Where each kind of result of a picture goes."""
    return {word: output / f"{stem}{SAVED[word]}" for word in wanted if word in SAVED}


def save_picture(prediction: "Prediction", picture: "ReadableFile", files: dict[str, Path]) -> None:
    """Write each kind of result to its place.

    Raises:
        OutputError: If a place cannot be written.
    """
    from atrous.images import write_image

    for word, path in files.items():
        match word:
            case "mask" | "probabilities":
                prediction.save(path)
            case "overlay":
                write_image(path, prediction.overlay())
            case "labelme":
                _save_labelme(prediction, picture, path)
            case "polygons":
                from atrous.inference.geojson import write_geojson

                write_geojson(path, prediction.polygons(), prediction.labels)
            case _:
                write_image(path, prediction.color())


def _save_labelme(prediction: "Prediction", picture: "ReadableFile", path: Path) -> None:
    from atrous.data.labelled import LabelledImage
    from atrous.data.to_labelme import write_labelme

    seen_from_there = picture.name
    if isinstance(picture, Path):
        seen_from_there = os.path.relpath(picture.resolve(), path.resolve().parent)
    write_labelme(path, LabelledImage(seen_from_there, prediction.mask), prediction.labels)
