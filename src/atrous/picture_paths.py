"""Which pictures lie where, and what their results are called."""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from atrous.errors import ImageError
from atrous.images import IMAGE_SUFFIXES, SUFFIXES_IN_WORDS


def find_images(inputs: Iterable[str | Path]) -> list[Path]:
    """The pictures that files, folders (with all folders below them) and glob patterns name, in a stable order.

    Raises:
        ImageError: If an input names nothing, or a folder holds no picture.
    """
    found: dict[str, Path] = {}
    for given in inputs:
        for picture in _pictures_of(given):
            found.setdefault(os.path.abspath(picture), picture)
    return list(found.values())


def _pictures_of(given: str | Path) -> list[Path]:
    path = Path(given)
    if os.path.isdir(given):
        if pictures := images_below(path):
            return pictures
        raise ImageError(f"The folder {path} holds no picture ({SUFFIXES_IN_WORDS}): give another one.")
    if os.path.exists(given):
        return [path]
    matches = sorted(Path(match) for match in glob.glob(str(given), recursive=True))
    pictures = [picture for match in matches for picture in (images_below(match) if match.is_dir() else [match])]
    if pictures := [picture for picture in pictures if picture.suffix.lower() in IMAGE_SUFFIXES]:
        return pictures
    if matches:
        raise ImageError(f"The pattern {given} fits no picture ({SUFFIXES_IN_WORDS}): give another one.")
    raise ImageError(f"There is no file, folder or pattern {given}: give the path of a picture.")


def images_below(folder: Path) -> list[Path]:
    """All pictures in a folder and the folders below it, sorted; hidden files and folders are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """A name for the output of each path, none twice: its stem, or with its suffix and folders where stems collide.

    `a/x.jpg` and `b/y.jpg` give `x` and `y`; `a/x.jpg` and `b/x.png` give `a_x_jpg` and `b_x_png`.
    """
    counts = Counter(path.stem for path in paths)
    taken = {stem for stem, count in counts.items() if count == 1}
    return [path.stem if counts[path.stem] == 1 else _free_name(path, taken) for path in paths]


def _free_name(path: Path, taken: set[str]) -> str:
    """A name that is not taken yet; it is from now on."""
    parts = (path.parent.name.strip("."), path.name.replace(".", "_"))
    name = base = "_".join(filter(None, parts))
    numbers = itertools.count(2)
    while name in taken:
        name = f"{base}_{next(numbers)}"
    taken.add(name)
    return name
