"""A raster from its pixels to its results: in windows, with what is finished kept on disk, and with bounded memory."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from atrous.errors import ImageError
from atrous.inference.finished_rows import FinishedRows
from atrous.inference.raster import Raster
from atrous.inference.raster_writer import write_rasters
from atrous.inference.sliding_window import WindowLayout, intervals, segment_rows
from atrous.inference.window_memory import fitting_layout, give_memory_back, halved, is_out_of_memory
from atrous.labels import LabelSpace
from atrous.progress import Progress, Silent

if TYPE_CHECKING:
    from atrous.inference.raster_writer import RasterKind
    from atrous.inference.sliding_window import AnyPredictor

RasterResult = Literal["mask", "overlay", "color", "polygons"]
"""What can be written of a raster."""

ENDINGS: dict[RasterResult, str] = {
    "mask": ".tif",
    "overlay": "_overlay.tif",
    "color": "_color.tif",
    "polygons": ".geojson",
}


class RasterRun(NamedTuple):
    """How a raster is to be segmented."""

    memory: float | None = None
    """In GB, all that the process may have; half of what is free by default."""
    resume: bool = False
    """Go on with what a run before has left."""


AFRESH = RasterRun()


def raster_files(folder: Path, stem: str, wanted: "list[RasterResult]") -> "dict[RasterResult, Path]":
    """Propose where results go: STEM.tif, STEM_overlay.tif, STEM_color.tif, STEM.geojson."""
    return {result: folder / f"{stem}{ENDINGS[result]}" for result in wanted}


def segment_raster(
    predictor: "AnyPredictor",
    raster: Raster,
    files: "Mapping[RasterResult, Path]",
    run: RasterRun = AFRESH,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Segment a raster and write its results.

    Finished rows are kept beside the first result, as NAME.rows, until all results are in their places; a run that was
    killed goes on behind them.

    Args:
        predictor: Any.
        raster: The picture.
        files: What to write, and where.
        run: Memory, and whether to go on.
        progress: Is told of rows of windows.

    Returns:
        How many pixels each class has that was seen; those that belong to none are `ignored`.

    Raises:
        ImageError: If the raster is damaged.
        OutputError: If a place cannot be written.
        ConfigError: If the memory is too small.
    """
    first = next(iter(files.values()))
    labels = predictor.labels
    rows = FinishedRows(first.with_name(f"{first.stem}.rows"), raster.size[1], labels.mask_dtype)
    _segment(predictor, raster, rows, run, progress or Silent())
    counts = np.zeros(labels.ignore_index + 1, np.int64)
    for mask in rows.read(512):
        counts += np.bincount(mask.ravel(), minlength=len(counts))
    _write(raster, rows, labels, files)
    rows.remove()
    return _areas(counts, labels)


def _segment(predictor: "AnyPredictor", raster: Raster, rows: FinishedRows, run: RasterRun, progress: Progress) -> None:
    """Finish all rows."""
    facts = _facts(predictor, raster)
    before = rows.resume() if run.resume else None
    known = before is not None and before["about"] == facts
    if known and before is not None and before["memory"] == run.memory:
        layout = WindowLayout(*before["layout"])
    else:
        layout = fitting_layout(predictor, raster.size[1], raster.bytes_per_pixel, run.memory, progress)
    if known:
        progress.say(f"{raster.path}: {rows.rows} of {raster.size[0]} rows are finished already.")
    else:
        rows.begin({"about": facts, "memory": run.memory, "layout": list(layout)})
    if rows.rows >= raster.size[0]:
        return
    _finish(predictor, raster, rows, layout, progress)


def _finish(
    predictor: "AnyPredictor", raster: Raster, rows: FinishedRows, layout: WindowLayout, progress: Progress
) -> None:
    """Finish the rows that are missing; where the memory is too small after all, the rest in smaller windows."""
    strips = intervals(raster.size[0], layout)
    done = sum(strip.leave.start <= rows.rows for strip in strips)
    smaller = halved(layout)
    try:
        with (
            progress.task(f"Segmenting {raster.path.name}", len(strips), done) as task,
            closing(segment_rows(predictor, raster.read, raster.size, layout, rows.rows)) as masks,
        ):
            for mask in masks:
                rows.append(mask)
                task.advance()
        return
    except (RuntimeError, MemoryError) as error:
        if smaller is None or not is_out_of_memory(error):
            raise
    give_memory_back()
    progress.say(f"The memory is too small: going on in windows of {smaller.side}x{smaller.side} pixels.")
    _finish(predictor, raster, rows, smaller, progress)


def _write(raster: Raster, rows: FinishedRows, labels: LabelSpace, files: "Mapping[RasterResult, Path]") -> None:
    kinds: tuple[RasterKind, ...] = ("mask", "overlay", "color")
    write_rasters(raster, rows, labels, {kind: files[kind] for kind in kinds if kind in files})
    if "polygons" not in files:
        return
    from atrous.inference.geojson import write_raster_geojson  # with numba, which takes its time

    if "mask" in files:
        write_raster_geojson(files["polygons"], files["mask"], labels)
        return
    mask = rows.path.with_suffix(".rows.tif")  # needed, and not wanted
    try:
        write_rasters(raster, rows, labels, {"mask": mask})
        write_raster_geojson(files["polygons"], mask, labels)
    finally:
        mask.unlink(missing_ok=True)


def _facts(predictor: "AnyPredictor", raster: Raster) -> dict[str, object]:
    """All that decides what the rows hold, windows apart."""
    try:
        status = raster.path.stat()
    except OSError:
        raise ImageError(f"There is no picture {raster.path}: give the path of one.") from None
    return {
        "picture": [str(raster.path.resolve()), status.st_size, status.st_mtime_ns],
        "shown": [list(raster.bands), list(raster.choices.value_range or ())],
        "model": [predictor.name, predictor.precision, predictor.output_stride, predictor.abstain],
        "classes": list(predictor.labels.names),
        "views": predictor.views.words,
        "crf": predictor.crf.model_dump(mode="json") if predictor.crf else None,
    }


def _areas(counts: "np.typing.NDArray[np.int64]", labels: LabelSpace) -> dict[str, int]:
    areas: Counter[str] = Counter()
    for value in np.flatnonzero(counts).tolist():
        areas[labels.names[value] if value < labels.num_classes else "ignored"] += int(counts[value])
    return dict(areas)
