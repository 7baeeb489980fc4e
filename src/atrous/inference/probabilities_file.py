"""The probability of every class at every pixel, as a file of numpy."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from atrous.files import replacing

if TYPE_CHECKING:
    from atrous.inference.prediction import Prediction

BAND = 2**23
"""How many probabilities are computed together: 32 MB."""
STORED = np.dtype("<f2")
"""Half precision: of a probability, three digits."""


def write_probabilities(path: Path, prediction: "Prediction") -> None:
    """Write `probabilities`, float16 [K, H, W], and `classes`, their K names, as a compressed .npz.

    Rows are computed band by band and put into their classes' places on the disk, so that the memory does not grow
    with the picture, unless a CRF refines it.

    Raises:
        OutputError: If the place cannot be written.
    """
    names = np.array(prediction.labels.names)
    shape = (len(names), *prediction.image.shape[:2])
    with (
        replacing(path, flush=False) as temporary,
        TemporaryFile(dir=path.parent) as planes,
        ZipFile(temporary, "w", ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for start, band in _bands(prediction):
            for label, rows in enumerate(band):
                planes.seek((label * shape[1] + start) * shape[2] * STORED.itemsize)
                planes.write(rows.tobytes())
        planes.seek(0)
        with archive.open("probabilities.npy", "w", force_zip64=True) as member:
            _write_header(member, shape)
            copyfileobj(planes, member)
        with archive.open("classes.npy", "w") as member:
            npy.write_array(member, names, allow_pickle=False)


def _bands(prediction: "Prediction") -> Iterator[tuple[int, NDArray[np.float16]]]:
    """The first row of each band, and its float16 [K, h, W]."""
    height, width = prediction.image.shape[:2]
    rows = max(1, BAND // (width * prediction.labels.num_classes))
    for start in range(0, height, rows):
        band = prediction.probabilities_in(slice(start, start + rows), slice(None))
        yield start, band.astype(STORED)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(STORED), "fortran_order": False, "shape": shape})
