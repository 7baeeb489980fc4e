"""Rasters as files, for the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

ALPS = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_000_000, 0.5, 0.5)}
"""At 9 degrees east and 45.15 north; half a metre per pixel."""


def write_raster(path: Path, image: NDArray[Any], **profile: Any) -> Path:
    """Write [H, W, bands] as a GeoTIFF in the Alps; the profile is rasterio's."""
    height, width, count = image.shape
    shape = {"height": height, "width": width, "count": count, "dtype": image.dtype}
    with rasterio.open(path, "w", **{"driver": "GTiff", **ALPS, **shape, **profile}) as file:
        file.write(np.moveaxis(image, -1, 0))
    return path
