"""`atrous predict`: pictures in, masks out."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
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
from atrous.cli.predict_annotations import FOR_ANNOTATORS, TOGETHER, Done, save_for_annotators, uncertainty_for
from atrous.cli.predict_rasters import OF_RASTERS, predict_rasters, raster_work, say_areas, split_rasters
from atrous.cli.predict_video import VideoChoices, possible_files, predict_camera, predict_videos, sort_inputs
from atrous.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from atrous.cli.predict_video import Inputs
    from atrous.images import ReadableFile
    from atrous.inference.exported import ExportedPredictor
    from atrous.inference.predictor import Prediction, Predictor
    from atrous.inference.recording import Shown
    from atrous.progress import Progress

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


def predict(
    model: Model,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Pictures, folders, patterns, tars, addresses, @LIST, rasters, videos, or a camera's number.",
        ),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go.")] = Path("masks"),
    save: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option(
            "--save",
            help="What to write, with commas: mask (class indices), overlay, color, polygons (GeoJSON), probabilities "
            f"(.npz); labelme, cvat, coco. By default {DEFAULT}.",
        ),
    ] = None,
    output_stride: OutputStride = None,
    scales: Scales = "1",
    flip: Flip = False,
    crf: Crf = False,
    crf_config: CrfFile = None,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    compiled: Annotated[
        bool, typer.Option("--compile", help="Have torch compile the network: a minute for each size, then faster.")
    ] = False,
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
    memory: Annotated[
        Optional[float],  # noqa: UP045 - typer reads it
        typer.Option("--memory", min=0.1, help="Rasters: GB that may be used; by default half of what is free."),
    ] = None,
    bands: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option("--bands", metavar="R,G,B", help="Rasters: which bands are red, green and blue, from 1."),
    ] = None,
    value_range: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option("--value-range", metavar="LOW,HIGH", help="Rasters: values that are shown as 0 and 255."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pictures and rasters: go on where an interrupted run has ended.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Segment pictures and videos: one mask per picture or frame, of exactly its size.

    NAME.png is the mask: a palette PNG that looks coloured and holds class indices. NAME_overlay.jpg is the picture
    with the classes' colours over it, NAME_color.png the colours alone. NAME_probabilities.npz has the probability of
    each class at each pixel, for numpy. As polygons, for annotation tools: labelme writes a NAME.json for each picture,
    cvat one annotations.xml and coco one annotations.json for all, the most uncertain pictures first; uncertainty.csv
    lists them in this order. A picture that cannot be read is reported and does not stop the others; the exit code is
    then 1.

    Of a video, NAME_overlay.mp4 and NAME_color.mp4 have its frames at their times, with its sound; NAME_mask.mkv holds
    class indices and loses nothing. A whole number is a camera: 0 is the first one, and Ctrl-C ends it.

    A TIFF or JPEG 2000 that lies somewhere on Earth, and any picture of more than 64 megapixels, is a raster: it is
    segmented in windows that overlap, and NAME.tif is its mask, in the same place on Earth.
    """
    from atrous.inference.many import numbers_of_process
    from atrous.inference.opening import open_predictor
    from atrous.inference.sources import find_sources, names_of
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    given = sort_inputs(inputs)
    wanted = _parse_save(("" if show else DEFAULT) if save is None else save, given, show=show)
    choices = VideoChoices(output, [word for word in OF_VIDEOS if word in wanted], smoothing, fps, show)
    sources = find_sources(given.pictures)
    stems = names_of([*sources, *given.videos])
    videos = list(zip(given.videos, stems[len(sources) :], strict=True))
    rasters, pictures = split_rasters(list(zip(sources, stems, strict=False)))
    _require_possible(wanted, rasters)
    work = raster_work(output, wanted, bands, value_range, memory, resume=resume)
    results = [file for _, stem in pictures for file in _files(output, stem, wanted).values()]
    results += [file for _, stem in rasters for file in work.files(stem).values()]
    results += [file for _, stem in videos for file in possible_files(stem, choices)]
    _require_inputs_kept([*(source for source in sources if isinstance(source, Path)), *given.videos], results)
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
        compiled=compiled,
        progress=progress,
    )
    _require_probabilities(wanted, predictor)
    failures = _predict_pictures(predictor, pictures, output, wanted, progress, resume=resume) if pictures else 0
    failures += predict_rasters(predictor, [rasters[n] for n in numbers_of_process(len(rasters))], work, progress)
    if videos or given.cameras:
        from atrous.inference.predictor import Predictor

        if not isinstance(predictor, Predictor):
            raise ConfigError("An exported file predicts pictures: give the checkpoint for videos and cameras.")
        mine = [videos[number] for number in numbers_of_process(len(videos))]
        failures += predict_videos(predictor, mine, choices, progress)
        for camera in given.cameras:
            predict_camera(predictor, camera, choices, progress)
    if failures:
        raise typer.Exit(1)


def _predict_pictures(
    predictor: "Predictor | ExportedPredictor",
    pictures: "Sequence[tuple[ReadableFile, str]]",
    output: Path,
    wanted: list[str],
    progress: "Progress",
    *,
    resume: bool,
) -> int:
    """Segment pictures in their order; return how many could not be read."""
    from atrous.inference.many import numbers_of_process, predict_many

    sources, stems = [source for source, _ in pictures], [stem for _, stem in pictures]
    mine = numbers_of_process(len(pictures))
    _require_one_process(wanted, len(mine) < len(pictures))
    files = {number: _files(output, stems[number], wanted) for number in mine}
    missing = [number for number in mine if not (resume and all(map(Path.exists, files[number].values())))]

    uncertainties: dict[int, float] = {}

    def finish(number: int, prediction: "Prediction") -> dict[str, int]:
        _save(prediction, sources[number], files[number])
        uncertainties[number] = uncertainty_for(wanted, prediction)
        return _areas(prediction)

    areas: Counter[str] = Counter()
    failed: set[int] = set()
    with (
        progress.task("Segmenting", len(mine), len(mine) - len(missing)) as task,
        closing(predict_many(predictor, sources, finish, numbers=missing, progress=progress)) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.error:
                print(f"Error: {outcome.error}", file=sys.stderr)
                failed.add(outcome.number)
            areas.update(outcome.result or {})
            task.advance()
    done = [
        Done(sources[number], output / f"{stems[number]}.png", uncertainties.get(number))
        for number in mine
        if number not in failed
    ]
    save_for_annotators(done, output, wanted, predictor.labels)
    _say_what_was_done(len(mine), len(missing), [str(sources[number]) for number in sorted(failed)], output, progress)
    say_areas(areas, progress)
    return len(failed)


def _say_what_was_done(count: int, missing: int, failed: list[str], output: Path, progress: "Progress") -> None:
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    before = f", {count - missing} of them before" if missing < count else ""
    where = f"; results in {output}" if len(failed) < count else ""
    progress.say(f"{count - len(failed)} of {pictures} segmented{before}{where}")
    for name in failed:
        progress.say(f"  not segmented: {name}")


def _require_possible(wanted: list[str], rasters: "Sequence[tuple[Path, str]]") -> None:
    """Refuse what is not written of rasters.

    Raises:
        ConfigError: It names a raster.
    """
    for word in wanted:
        if rasters and word not in OF_RASTERS:
            known = ", ".join(OF_RASTERS)
            raise ConfigError(f"--save {word} is for pictures: of a raster such as {rasters[0][0]} there are {known}.")


def _require_probabilities(wanted: list[str], predictor: "Predictor | ExportedPredictor") -> None:
    """Refuse probabilities of a file that gives none.

    Raises:
        ConfigError: It says how to get them.
    """
    from atrous.inference.exported import ExportedPredictor

    if "probabilities" in wanted and isinstance(predictor, ExportedPredictor) and predictor.card.output == "labels":
        raise ConfigError(
            f"{predictor.name} was exported with labels alone: export it with --output logits for its probabilities."
        )


def _require_one_process(wanted: list[str], several: bool) -> None:
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


def _save(prediction: "Prediction", picture: "ReadableFile", files: dict[str, Path]) -> None:
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
