"""`atrous predict`: pictures in, masks out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

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
from atrous.cli.predict_inputs import NamedInputs, name_inputs, require_kept, sort_inputs
from atrous.cli.predict_pictures import predict_pictures
from atrous.cli.predict_rasters import RasterWork, predict_rasters, raster_work
from atrous.cli.predict_saved import (
    DEFAULT,
    OF_VIDEOS,
    picture_files,
    require_for_rasters,
    require_probabilities,
    words_to_save,
)
from atrous.cli.predict_video import VideoChoices, possible_files, predict_camera, predict_videos


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
    from atrous.inference.opening import open_predictor
    from atrous.progress import terminal_progress

    progress = terminal_progress(quiet=quiet)
    given = sort_inputs(inputs)
    wanted = words_to_save(save, given, show=show)
    named = name_inputs(given)
    require_for_rasters(wanted, named.rasters)
    of_rasters = raster_work(output, wanted, bands, value_range, memory, resume=resume)
    of_videos = VideoChoices(output, [word for word in OF_VIDEOS if word in wanted], smoothing, fps, show)
    require_kept(named, _results(named, output, wanted, of_rasters, of_videos))
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
        pictures=None if named.rasters or named.videos or given.cameras else len(named.pictures),
        compiled=compiled,
        progress=progress,
    )
    require_probabilities(wanted, predictor)
    failures = predict_pictures(predictor, named.pictures, output, wanted, progress, resume=resume)
    failures += predict_rasters(predictor, named.rasters, of_rasters, progress)
    failures += predict_videos(predictor, named.videos, of_videos, progress)
    for camera in given.cameras:
        predict_camera(predictor, camera, of_videos, progress)
    if failures:
        raise typer.Exit(1)


def _results(
    named: NamedInputs, output: Path, wanted: list[str], of_rasters: RasterWork, of_videos: VideoChoices
) -> Iterator[Path]:
    """Every file that may be written."""
    for _, stem in named.pictures:
        yield from picture_files(output, stem, wanted).values()
    for _, stem in named.rasters:
        yield from of_rasters.files(stem).values()
    for _, stem in named.videos:
        yield from possible_files(stem, of_videos)
