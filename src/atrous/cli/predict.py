"""`atrous predict`: pictures in, masks out."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import (
    Crf,
    CrfFile,
    Flip,
    LabelsFile,
    Model,
    OutputStride,
    PrecisionName,
    Quiet,
    RuntimeName,
    Scales,
    chosen_crf,
    chosen_labels,
    chosen_runtime,
    chosen_views,
)
from atrous.cli.predict_annotations import TOGETHER, Done, save_for_annotators, uncertainty_for
from atrous.cli.predict_video import VideoChoices, possible_files, predict_camera, predict_videos, sort_inputs
from atrous.errors import ConfigError, ImageError, OutputError

if TYPE_CHECKING:
    from atrous.cli.predict_video import Inputs
    from atrous.inference.exported import ExportedPredictor
    from atrous.inference.predictor import Prediction, Predictor
    from atrous.inference.recording import Shown
    from atrous.progress import Progress

SAVED = {"mask": ".png", "overlay": "_overlay.jpg", "color": "_color.png", "labelme": ".json"}
"""What can be written for each picture, and how the names of its files end."""
OF_VIDEOS: "tuple[Shown, ...]" = ("mask", "overlay", "color")
"""What can be written for videos."""
DEFAULT = "mask,overlay"


def predict(
    model: Model,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="Pictures, folders of pictures, videos, glob patterns, or a camera's number."
        ),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go.")] = Path("masks"),
    save: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(
            "--save",
            help="What to write, with commas: mask (class indices), overlay, color; labelme, cvat, coco. "
            f"By default {DEFAULT}.",
        ),
    ] = None,
    output_stride: OutputStride = None,
    scales: Scales = "1",
    flip: Flip = False,
    crf: Crf = False,
    crf_config: CrfFile = None,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    labels: LabelsFile = None,
    abstain: Annotated[
        float,
        typer.Option(
            "--abstain", min=0, max=1, help="Write the ignore value where the largest probability is lower than this."
        ),
    ] = 0.0,
    smoothing: Annotated[
        float,
        typer.Option("--smoothing", min=0, help="Videos: seconds after which what was seen counts half; 0 for never."),
    ] = 0.05,
    fps: Annotated[
        Optional[float],  # noqa: UP045 - typer reads it
        typer.Option("--fps", min=0.01, help="Videos: frames per second to hold, by looking less closely."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Videos: show overlays in a window; alone it writes nothing.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Segment pictures and videos: one mask per picture or frame, of exactly its size.

    NAME.png is the mask: a palette PNG that looks coloured and holds class indices. NAME_overlay.jpg is the picture
    with the classes' colours over it, NAME_color.png the colours alone. As polygons, for annotation tools: labelme
    writes a NAME.json for each picture, cvat one annotations.xml and coco one annotations.json for all, the most
    uncertain pictures first; uncertainty.csv lists them in this order. A picture that cannot be read is reported and
    does not stop the others; the exit code is then 1.

    Of a video, NAME_overlay.mp4 and NAME_color.mp4 have its frames at their times, with its sound; NAME_mask.mkv holds
    class indices and loses nothing. A whole number is a camera: 0 is the first one, and Ctrl-C ends it.
    """
    from atrous.images import find_images, unique_stems
    from atrous.inference.opening import open_predictor
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    given = sort_inputs(inputs)
    wanted = _parse_save(("" if show else DEFAULT) if save is None else save, given, show=show)
    choices = VideoChoices(output, [word for word in OF_VIDEOS if word in wanted], smoothing, fps, show)
    paths = find_images(given.pictures)
    stems = unique_stems([*paths, *given.videos])
    pictures, videos = list(zip(paths, stems, strict=False)), list(zip(given.videos, stems[len(paths) :], strict=True))
    results = [file for _, stem in pictures for file in _files(output, stem, wanted).values()]
    results += [file for _, stem in videos for file in possible_files(stem, choices)]
    _require_inputs_kept([*paths, *given.videos], results)
    chosen, exactly = chosen_runtime(runtime, precision)
    predictor = open_predictor(
        model,
        crf=chosen_crf(crf=crf, crf_config=crf_config),
        views=chosen_views(scales, flip=flip),
        output_stride=output_stride,
        abstain=abstain,
        runtime=chosen,
        precision=exactly,
        labels=chosen_labels(labels),
        pictures=len(pictures),
        progress=progress,
    )
    failures = _predict_pictures(predictor, pictures, output, wanted, progress) if pictures else 0
    if videos or given.cameras:
        from atrous.inference.predictor import Predictor

        if not isinstance(predictor, Predictor):
            raise ConfigError("An exported file predicts pictures: give the checkpoint for videos and cameras.")
        failures += predict_videos(predictor, videos, choices, progress)
        for camera in given.cameras:
            predict_camera(predictor, camera, choices, progress)
    if failures:
        raise typer.Exit(1)


def _predict_pictures(
    predictor: "Predictor | ExportedPredictor",
    pictures: list[tuple[Path, str]],
    output: Path,
    wanted: list[str],
    progress: "Progress",
) -> int:
    """Segment pictures one after the other; return how many could not be read."""
    from atrous.progress import track

    areas: Counter[str] = Counter()
    done: list[Done] = []
    for path, stem in track(pictures, progress, "Segmenting", len(pictures)):
        try:
            prediction = predictor(path)
        except ImageError as error:
            print(f"Error: {error}", file=sys.stderr)
        else:
            _save(prediction, path, _files(output, stem, wanted))
            done.append(Done(path, output / f"{stem}.png", uncertainty_for(wanted, prediction)))
            areas.update(_areas(prediction))
    save_for_annotators(done, output, wanted, predictor.labels)
    count = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    progress.say(f"{len(done)} of {count} segmented" + (f"; results in {output}" if done else ""))
    for name, pixels in areas.most_common():
        progress.say(f"{pixels / areas.total():>8.2%}  {name}")
    return len(pictures) - len(done)


def _areas(prediction: "Prediction") -> dict[str, int]:
    """How many pixels each class has that is seen; those that belong to none are `ignored`."""
    import numpy as np

    values, counts = np.unique(prediction.mask, return_counts=True)
    names = prediction.labels.names
    return {
        names[value] if value < len(names) else "ignored": int(count)
        for value, count in zip(values, counts, strict=True)
    }


def _parse_save(text: str, given: "Inputs", *, show: bool) -> list[str]:
    """The words of --save; --show alone writes nothing.

    Raises:
        ConfigError: If a word is unknown, or is not for what was given.
    """
    from atrous.config import nearest

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


def _files(output: Path, stem: str, wanted: list[str]) -> dict[str, Path]:
    """Where each kind of result of a picture goes."""
    return {word: output / f"{stem}{SAVED[word]}" for word in wanted if word in SAVED}


def _require_inputs_kept(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuse an output folder in which a result would replace one of the pictures themselves."""
    precious = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in precious:
            raise OutputError(f"The result {path} would replace what is to be segmented: choose another --output.")


def _save(prediction: "Prediction", picture: Path, files: dict[str, Path]) -> None:
    from atrous.images import write_image

    for word, path in files.items():
        match word:
            case "mask":
                prediction.save(path)
            case "overlay":
                write_image(path, prediction.overlay())
            case "labelme":
                from atrous.data.labelled import LabelledImage
                from atrous.data.to_labelme import write_labelme

                seen_from_there = os.path.relpath(picture.resolve(), path.resolve().parent)
                write_labelme(path, LabelledImage(seen_from_there, prediction.mask), prediction.labels)
            case _:
                write_image(path, prediction.color())
