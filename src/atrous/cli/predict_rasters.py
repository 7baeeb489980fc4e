"""What `atrous predict` does with rasters."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from atrous.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from atrous.images import ReadableFile
    from atrous.inference.raster import RasterChoices
    from atrous.inference.segment_raster import RasterResult, RasterRun
    from atrous.inference.sliding_window import AnyPredictor
    from atrous.progress import Progress

OF_RASTERS: "tuple[RasterResult, ...]" = ("mask", "overlay", "color", "polygons")
"""What can be written of rasters."""

Number = TypeVar("Number", int, float)


class RasterWork(NamedTuple):
    """What was asked for."""

    output: Path
    wanted: "list[RasterResult]"
    choices: "RasterChoices"
    run: "RasterRun"

    def files(self, stem: str) -> "dict[RasterResult, Path]":
        """Where the results of a raster go."""
        from atrous.inference.segment_raster import raster_files

        return raster_files(self.output, stem, self.wanted)


def raster_work(
    output: Path,
    wanted: Sequence[str],
    bands: str | None,
    value_range: str | None,
    memory: float | None,
    *,
    resume: bool,
) -> RasterWork:
    """What several options ask for.

    Raises:
        ConfigError: If one of them is no list of as many numbers.
    """
    from atrous.inference.raster import RasterChoices
    from atrous.inference.segment_raster import RasterRun

    chosen = None if bands is None else tuple(_numbers(int, bands, "--bands", (1, 3)))
    low_high = None if value_range is None else tuple(_numbers(float, value_range, "--value-range", (2,)))
    if low_high is not None and not low_high[0] < low_high[1]:
        raise ConfigError(f"--value-range {value_range} begins where it should end: write LOW,HIGH.")
    choices = RasterChoices(chosen, low_high)  # type: ignore[arg-type]  # it has two
    return RasterWork(output, [word for word in OF_RASTERS if word in wanted], choices, RasterRun(memory, resume))


def split_rasters(
    named: "Sequence[tuple[ReadableFile, str]]",
) -> "tuple[list[tuple[Path, str]], list[tuple[ReadableFile, str]]]":
    """Tell rasters and pictures apart, each with the name of its results."""
    from atrous.inference.raster import is_raster

    rasters: list[tuple[Path, str]] = []
    pictures: list[tuple[ReadableFile, str]] = []
    for source, stem in named:
        if isinstance(source, Path) and is_raster(source):
            rasters.append((source, stem))
        else:
            pictures.append((source, stem))
    return rasters, pictures


def predict_rasters(
    predictor: "AnyPredictor", rasters: Sequence[tuple[Path, str]], work: RasterWork, progress: "Progress"
) -> int:
    """Segment this process's rasters one after the other; return how many could not be read."""
    from atrous.inference.many import numbers_of_process
    from atrous.inference.raster import Raster
    from atrous.inference.segment_raster import segment_raster

    failures = 0
    for path, stem in (rasters[number] for number in numbers_of_process(len(rasters))):
        files = work.files(stem)
        if work.run.resume and all(file.exists() for file in files.values()):
            progress.say(f"{path}: its results are there already")
            continue
        try:
            areas = segment_raster(predictor, Raster(path, work.choices), files, work.run, progress)
        except ImageError as error:
            failures += 1
            print(f"Error: {error}", file=sys.stderr)
        else:
            progress.say(f"{path} segmented; written: {', '.join(map(str, files.values()))}")
            say_areas(Counter(areas), progress)
    return failures


def say_areas(areas: "Counter[str]", progress: "Progress") -> None:
    """A line for each class: which part of all pixels it has."""
    for name, pixels in areas.most_common():
        progress.say(f"{pixels / areas.total():>8.2%}  {name}")


def _numbers(kind: type[Number], text: str, option: str, counts: tuple[int, ...]) -> list[Number]:
    words = text.split(",")
    try:
        numbers = [kind(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise ConfigError(f"{option} {text} is no list of {' or '.join(map(str, counts))} numbers with commas.")
    return numbers
