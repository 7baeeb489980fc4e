"""The areas of a mask as GeoJSON: RFC 7946, one feature per area and line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atrous.data.polygons import DEFAULT_TOLERANCE, LabelledPolygon, ring_area, simplified
from atrous.files import replacing
from atrous.inference.raster import opened_raster
from atrous.labels import LabelSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from affine import Affine
    from rasterio.io import DatasetReader

    Ring = NDArray[np.float64]
    Places = Callable[[Ring], Ring]

SAME_SIDE = 4
"""Pixels belong together by their sides, as in all our polygons."""

DIGITS = 8
"""Behind the point: of degrees, a millimetre."""


def write_geojson(path: Path, polygons: "Iterable[LabelledPolygon]", labels: LabelSpace) -> None:
    """Write the areas of a picture, with corners in pixels: x to the right, y downwards.

    Raises:
        OutputError: If the place cannot be written.
    """
    _write(path, (_feature(polygon, labels, _as_it_is, polygon.area) for polygon in polygons))


def write_raster_geojson(path: Path, mask: Path, labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE) -> None:
    """Write the areas of a mask that was written as a raster: in degrees east and north, as the standard has it.

    A raster that does not say where it lies gives corners in pixels. The mask is read row by row; what stays in memory
    are the outlines.

    Args:
        path: The file to write.
        mask: A GeoTIFF with class indices.
        labels: Its classes.
        tolerance: How far, in pixels, a simplified outline may leave the sides of pixels.

    Raises:
        OutputError: If the place cannot be written.
    """
    with opened_raster(mask) as file:
        places = _degrees(file) if file.crs is not None else _as_it_is
        areas = _polygons(file, labels, tolerance)
        _write(path, (_feature(polygon, labels, places, pixels) for polygon, pixels in areas))


def _polygons(file: "DatasetReader", labels: LabelSpace, tolerance: float) -> "Iterator[tuple[LabelledPolygon, float]]":
    """Each area, and how many pixels it had before its outline was simplified."""
    import rasterio
    from rasterio.features import shapes

    to_pixels = ~file.transform
    for shape, value in shapes(rasterio.band(file, 1), connectivity=SAME_SIDE):
        if int(value) < labels.num_classes:
            corners = [np.rint(_moved(np.array(ring[:-1], np.float64), to_pixels)) for ring in shape["coordinates"]]
            outline, *holes = [simplified(ring, tolerance) for ring in corners]
            pixels = 2 * abs(ring_area(corners[0])) - sum(abs(ring_area(ring)) for ring in corners)
            yield LabelledPolygon(int(value), outline, tuple(holes)), pixels


def _as_it_is(ring: "Ring") -> "Ring":
    return ring


def _moved(ring: "Ring", affine: "Affine") -> "Ring":
    a, b, c, d, e, f, *_ = affine
    x, y = ring.T
    return np.stack((a * x + b * y + c, d * x + e * y + f), axis=1)


def _degrees(file: "DatasetReader") -> "Places":
    """From pixels to longitude and latitude."""
    from rasterio.warp import transform

    def places(ring: "Ring") -> "Ring":
        east, north = transform(file.crs, "EPSG:4326", *_moved(ring, file.transform).T)
        return np.round(np.stack((east, north), axis=1), DIGITS)

    return places


def _feature(polygon: LabelledPolygon, labels: LabelSpace, places: "Places", pixels: float) -> dict[str, Any]:
    rings = [_turned(places(polygon.outline), +1), *(_turned(places(hole), -1) for hole in polygon.holes)]
    return {
        "type": "Feature",
        "properties": {
            "class": labels.names[polygon.label],
            "index": polygon.label,
            "color": "#{:02x}{:02x}{:02x}".format(*labels.colors[polygon.label]),
            "pixels": round(pixels, 1),
        },
        "geometry": {"type": "Polygon", "coordinates": rings},
    }


def _turned(ring: "Ring", turn: int) -> list[list[float]]:
    """Closed, and counter-clockwise where y grows upwards, if `turn` is positive; clockwise for holes."""
    right = ring if ring_area(ring) * turn > 0 else ring[::-1]
    return [*right.tolist(), right[0].tolist()]


def _write(path: Path, features: "Iterator[dict[str, Any]]") -> None:
    with replacing(path, flush=False) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, line in enumerate(map(json.dumps, features)):
            file.write(f"{',' if number else ''}\n{line}")
        file.write("\n]}\n")
