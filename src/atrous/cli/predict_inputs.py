"""What `atrous predict` was given, by what it is, and how its results are called."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atrous.cli.predict_rasters import split_rasters
from atrous.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from atrous.images import ReadableFile


class Inputs(NamedTuple):
    """What a command was given, by what it is."""

    pictures: list[str]
    """Files, folders and patterns."""
    videos: list[Path]
    cameras: list[int]


class NamedInputs(NamedTuple):
    """Files to segment, each with the name of its results."""

    pictures: "list[tuple[ReadableFile, str]]"
    rasters: list[tuple[Path, str]]
    videos: list[tuple[Path, str]]


def sort_inputs(inputs: Sequence[str]) -> Inputs:
    """Tell pictures, videos (by their suffix) and cameras (whole numbers that are no files) apart.

    Raises:
        ConfigError: If there are several cameras.
    """
    from atrous.inference.video_container import VIDEO_SUFFIXES

    sorted_inputs = Inputs([], [], [])
    for given in inputs:
        path = Path(given)
        if given.isdecimal() and not path.exists():
            sorted_inputs.cameras.append(int(given))
        elif path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
            matches = [path] if path.exists() else sorted(map(Path, glob.glob(given, recursive=True)))
            sorted_inputs.videos.extend(matches or [path])
        else:
            sorted_inputs.pictures.append(given)
    if len(sorted_inputs.cameras) > 1:
        raise ConfigError("A camera does not end by itself: give one at a time.")
    return sorted_inputs


def name_inputs(given: Inputs) -> NamedInputs:
    """Find the pictures, and give each input a name that no other has.

    Raises:
        ImageError: If an input names nothing.
        ConfigError: If addresses are given and what reads them is not installed.
    """
    from atrous.inference.sources import find_sources, names_of

    sources = find_sources(given.pictures)
    stems = names_of([*sources, *given.videos])
    rasters, pictures = split_rasters(list(zip(sources, stems, strict=False)))
    return NamedInputs(pictures, rasters, list(zip(given.videos, stems[len(sources) :], strict=True)))


def require_kept(named: NamedInputs, results: Iterable[Path]) -> None:
    """Refuse an output folder in which a result would replace one of the inputs themselves.

    Raises:
        OutputError: It names the result.
    """
    inputs = (source for source, _ in (*named.pictures, *named.rasters, *named.videos))
    precious = {source.resolve() for source in inputs if isinstance(source, Path)}
    for path in results:
        if path.resolve() in precious:
            raise OutputError(f"The result {path} would replace what is to be segmented: choose another --output.")
