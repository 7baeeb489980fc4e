"""Everything that pictures can be named by: files, folders, patterns, lists, archives, addresses."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from atrous.errors import ImageError
from atrous.images import IMAGE_SUFFIXES, ReadableFile
from atrous.inference.remote import is_address, remote_pictures
from atrous.picture_paths import find_images, unique_stems

ARCHIVES = (".tar", ".zip")


def find_sources(inputs: Iterable[str]) -> list[ReadableFile]:
    """The pictures that inputs name, in the order of the inputs and sorted within each, none twice.

    An input is a picture, a folder (with all below it), a pattern, an archive (.tar or .zip) of pictures, an address
    that fsspec knows, or @LIST: a text file with one input per line. A line that names a file which is not there is
    found out when its turn has come, and does not stop the others.

    Raises:
        ImageError: If an input names nothing.
        ConfigError: If addresses are given and what reads them is not installed.
    """
    found: dict[str, ReadableFile] = {}
    for given in inputs:
        for source in _listed(given[1:]) if given.startswith("@") and len(given) > 1 else _named(given):
            found.setdefault(os.path.abspath(source) if isinstance(source, Path) else str(source), source)
    return list(found.values())


def names_of(sources: list[ReadableFile]) -> list[str]:
    """A name for the results of each source, none twice; see `unique_stems`."""
    return unique_stems([Path(PurePosixPath(str(source))) for source in sources])


def _listed(path: str) -> Iterator[ReadableFile]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ImageError(
            f"There is no list {path} that can be read: give a text file with one picture per line."
        ) from None
    for line in filter(None, map(str.strip, lines)):
        plain = not is_address(line) and not line.lower().endswith(ARCHIVES) and not glob.has_magic(line)
        if plain and not os.path.isdir(line):
            yield Path(line)
        else:
            yield from _named(line)


def _named(given: str) -> Iterable[ReadableFile]:
    if is_address(given):
        return remote_pictures(given)
    if given.lower().endswith(ARCHIVES):
        matches = [given] if os.path.isfile(given) else sorted(glob.glob(given, recursive=True))
        if matches:
            return [picture for match in matches for picture in _packed(Path(match))]
    return find_images([given])


def _packed(path: Path) -> list[ReadableFile]:
    from atrous.data.archives import Archive  # takes its time, as all of the data sets come along
    from atrous.data.opening import open_tree

    tree = open_tree(path)
    assert isinstance(tree, Archive)
    names = sorted(name for name in tree.walk() if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES)
    if not names:
        raise ImageError(f"The archive {path} holds no picture: give another one.")
    return [tree.file(name) for name in names]
