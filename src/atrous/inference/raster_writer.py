"""What was found in a raster, as rasters beside it: tiled, packed, in its place on Earth; written row by row."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from atrous.files import cannot_write, replacing
from atrous.inference.finished_rows import FinishedRows
from atrous.inference.raster import CACHE, Raster
from atrous.labels import LabelSpace
from atrous.visualization import colorize, overlay

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

TILE = 512
"""Pixels of a side of the files' tiles; also the rows that are written at once, so that no tile is written twice."""

RasterKind = Literal["mask", "color", "overlay"]


def write_rasters(raster: Raster, rows: FinishedRows, labels: LabelSpace, files: dict[RasterKind, Path]) -> None:
    """Write the finished mask of a raster in all forms that are wanted, each as a BigTIFF.

    The mask has a palette and the ignore value as nodata; it, the colours and the overlay lie where the raster lies.

    Raises:
        OutputError: If a place cannot be written.
        ImageError: If the raster, which an overlay shows, is damaged.
    """
    for kind, path in files.items():
        with _created(path, raster, kind, labels) as file:
            start = 0
            for mask in rows.read(TILE):
                file.write(_bands_of(kind, raster, start, mask, labels), window=_window(start, mask.shape))
                start += len(mask)


def _bands_of(
    kind: RasterKind, raster: Raster, start: int, mask: NDArray[Any], labels: LabelSpace
) -> NDArray[np.uint8 | np.uint16]:
    """[bands, h, W] of some rows."""
    match kind:
        case "mask":
            return mask[None]
        case "color":
            return np.moveaxis(colorize(mask, labels), -1, 0)
        case "overlay":
            return np.moveaxis(overlay(raster.read(start, start + len(mask)).image, mask, labels), -1, 0)
        case _:
            assert_never(kind)


def _window(start: int, size: tuple[int, ...]) -> Any:
    from rasterio.windows import Window

    return Window(0, start, size[1], size[0])


@contextmanager
def _created(path: Path, raster: Raster, kind: RasterKind, labels: LabelSpace) -> "Iterator[DatasetWriter]":
    """A TIFF that takes its place when the block ends well."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": raster.size[0],
        "width": raster.size[1],
        "crs": raster.crs,
        "transform": raster.transform,
        "count": 1 if kind == "mask" else 3,
        "dtype": labels.mask_dtype if kind == "mask" else np.uint8,
        "bigtiff": "YES",
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "deflate",
        "zlevel": 6 if kind == "mask" else 1,
    }
    profile |= {"nodata": labels.ignore_index} if kind == "mask" else {"photometric": "RGB", "interleave": "pixel"}
    with replacing(path) as temporary, warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(temporary, "w", **profile) as file:
                if kind == "mask" and labels.mask_dtype is np.uint8:
                    file.write_colormap(
                        1, {value: tuple(color) for value, color in enumerate(labels.color_table.tolist())}
                    )
                yield file
        except RasterioError as error:
            raise cannot_write(path, OSError(str(error))) from None
