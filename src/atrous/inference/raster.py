"""Rasters: pictures of any size on disk, read some rows at a time; with the place on Earth that they show."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atrous.errors import ConfigError, ImageError
from atrous.inference.sliding_window import Strip

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".jp2"})
DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
"""How files begin, and what GDAL may take them for: formats that name no other file and no address."""

LARGEST_PICTURE = 64_000_000
"""Pixels above which a picture is read and segmented in parts."""

FEWEST_BYTES = 2_000_000
"""Bytes of a JPEG or PNG below which its size is not looked up: so few pixels per byte has only a plain one."""

GEOREFERENCES = (33550, 33922, 34264, 34735)
"""TIFF tags: pixel scale, tie points, transformation, keys (GeoTIFF 1.1, sections 6 and 7)."""

CACHE = 64_000_000
"""Bytes in which GDAL keeps what it has unpacked."""


class RasterChoices(NamedTuple):
    """What of a raster is shown to the network."""

    bands: tuple[int, ...] | None = None
    """Red, green and blue, counted from 1; by default as the file says, else the first three, or the first alone."""
    value_range: tuple[float, float] | None = None
    """The values that become 0 and 255; by default all that 8 or 16 bits can hold."""


AS_IT_IS = RasterChoices()


class Raster:
    """A picture on disk."""

    def __init__(self, path: Path, choices: RasterChoices = AS_IT_IS) -> None:
        """Look at what is in the file, without reading its pixels.

        Raises:
            ImageError: If it is missing or is none.
            ConfigError: If rasterio is not installed, or the choices do not fit the file.
        """
        self.path, self.choices = path, choices
        with self._opened() as file:
            self.size: tuple[int, int] = (file.height, file.width)
            self.crs, self.transform = file.crs, file.transform
            self.count, self.dtype = file.count, np.dtype(file.dtypes[0])
            self.palette = _palette(file)
            self.bands = choices.bands or _bands(file)
        self._check()

    @property
    def has_place(self) -> bool:
        """Whether it says where on Earth its pixels lie."""
        return self.crs is not None and not self.transform.is_identity

    @property
    def bytes_per_pixel(self) -> int:
        """Of what is held of it while its rows are read."""
        return len(self.bands) * int(self.dtype.itemsize) + 5

    def read(self, start: int, stop: int) -> Strip:
        """Some rows: RGB in 8 bits, and where there is anything.

        Raises:
            ImageError: If they are damaged.
        """
        from rasterio.windows import Window

        window = Window(0, start, self.size[1], stop - start)
        with self._opened() as file:
            values = file.read(list(self.bands), window=window)
            valid = file.dataset_mask(window=window) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=0)
        return Strip(self._rgb(values), valid)

    def _rgb(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """uint8 [h, W, 3] of [bands, h, W]."""
        if self.palette is not None:
            return np.asarray(self.palette[values[0]], np.uint8)
        pixels = np.moveaxis(values, 0, -1)
        if self.choices.value_range or self.dtype != np.uint8:
            low, high = self.choices.value_range or (0, np.iinfo(self.dtype).max)
            levels = (np.nan_to_num(pixels.astype(np.float32)) - low) * np.float32(255.999 / (high - low))
            pixels = np.clip(levels, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))

    def _check(self) -> None:
        if any(not 1 <= band <= self.count for band in self.bands):
            raise ConfigError(
                f"{self.path} has the bands 1 to {self.count}, so --bands {','.join(map(str, self.bands))} is "
                f"impossible: name three of them, or one for grey."
            )
        if self.dtype.kind not in "uif" or self.dtype.itemsize > 8:
            raise ImageError(f"{self.path} holds values of type {self.dtype}: convert them to 8 bits first.")
        if self.choices.value_range is None and self.dtype not in (np.uint8, np.uint16):
            raise ConfigError(
                f"{self.path} holds values of type {self.dtype}, of which nobody knows which are dark and bright: "
                f"say it with --value-range LOW,HIGH."
            )

    @contextmanager
    def _opened(self) -> "Iterator[DatasetReader]":
        with opened_raster(self.path) as file:
            yield file


@contextmanager
def opened_raster(path: Path) -> "Iterator[DatasetReader]":
    """Open a raster for reading; whatever goes wrong until the block ends becomes one sentence.

    Raises:
        ImageError: If it is missing, damaged, or no raster.
        ConfigError: If rasterio is not installed.
    """
    require_rasterio(path)
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    driver = _driver(path)
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE, GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as file:
                yield file
    except (RasterioError, rasterio._err.CPLE_BaseError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ImageError(f"{path} is damaged or no raster ({reason}): get a whole copy of this picture.") from None


def require_rasterio(path: Path) -> None:
    """Refuse to go on without rasterio.

    Raises:
        ConfigError: It says how to install it.
    """
    if find_spec("rasterio") is None:
        raise ConfigError(
            f"{path} is a raster, which takes rasterio to read in parts: run `pip install 'atrous[geo]'`."
        )


def _driver(path: Path) -> str:
    try:
        with path.open("rb") as file:
            beginning = file.read(16)
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}): give the path of a picture.") from None
    for signature, driver in DRIVERS.items():
        if beginning.startswith(signature):
            return driver
    raise ImageError(f"{path} is no TIFF, JPEG 2000, PNG or JPEG: convert it to one of them.")


def is_raster(path: Path) -> bool:
    """Whether a picture is to be segmented in parts: it says where on Earth it lies, or has more than 64 Mpx.

    So is a TIFF or JPEG 2000 that pictures are not read from otherwise, such as one of four bands of 16 bits.
    """
    suffix = path.suffix.lower()
    try:
        if suffix not in RASTER_SUFFIXES and path.stat().st_size < FEWEST_BYTES:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                tags = getattr(image, "tag_v2", {})
                large = image.width * image.height > LARGEST_PICTURE
        if suffix == ".jp2" and find_spec("rasterio") is not None:
            return large or Raster(path).has_place
        return large or any(tag in tags for tag in GEOREFERENCES)
    except Image.DecompressionBombError:
        return True
    except OSError:  # what Pillow does not know, GDAL may
        return suffix in RASTER_SUFFIXES and path.is_file() and find_spec("rasterio") is not None
    except Exception:  # a damaged file: it is reported where pictures are read
        return False


def _bands(file: "DatasetReader") -> tuple[int, ...]:
    from rasterio.enums import ColorInterp

    kinds: Sequence[Any] = file.colorinterp
    colors = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(color in kinds for color in colors):
        return tuple(kinds.index(color) + 1 for color in colors)
    alpha = sum(kind == ColorInterp.alpha for kind in kinds)
    return (1, 2, 3) if file.count - alpha >= 3 else (1,)


def _palette(file: "DatasetReader") -> NDArray[np.uint8] | None:
    """uint8 [256, 3], where the first band holds indices of colours."""
    from rasterio.enums import ColorInterp

    if file.colorinterp[0] != ColorInterp.palette or file.dtypes[0] != "uint8":
        return None
    table = np.zeros((256, 3), np.uint8)
    for index, color in file.colormap(1).items():
        table[index] = color[:3]
    return table
