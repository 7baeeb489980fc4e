"""The layouts of well-known data sets with a few tiny pictures, and the zips and tars of them."""

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from atrous.images import write_image
from tests.tiny_data import noise

SIZE = (4, 6)


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> None:
    write_image(path, noise(size, seed))


def write_grey(path: Path, values: NDArray[np.integer]) -> None:
    """A grey PNG of 8 bits with these values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def write_colors(path: Path, colors: NDArray[np.uint8]) -> None:
    """A colour PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colors).save(path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_mat(path: Path, **variables: object) -> None:
    """A MATLAB file of version 5, packed like those of the data sets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True)


def cells(names: Iterable[str]) -> NDArray[np.object_]:
    """A row of cells with strings."""
    listed = list(names)
    row = np.empty((1, len(listed)), object)
    row[0, :] = listed
    return row


def values_of(values: Iterable[int], size: tuple[int, int] = SIZE) -> NDArray[np.int64]:
    """A mask that has all these values, again and again."""
    return np.resize(np.array(list(values)), size)


def packed(folder: Path, kind: str, inside: str = "") -> Path:
    """The folder itself, or a zip or tar of it below the folder `inside` of the archive."""
    if kind == "folder":
        return folder
    path = folder.parent / f"{folder.name}.{kind}"
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, Path(inside) / file.relative_to(folder))
    else:
        with tarfile.open(path, "w") as tar:
            for file in files:
                tar.add(file, Path(inside) / file.relative_to(folder))
    return path
