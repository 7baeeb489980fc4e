"""The shapes of CVAT's XML that have an area."""

from collections.abc import Callable, Mapping
from typing import Annotated
from xml.etree.ElementTree import Element

import numpy as np
from pydantic import Field

from atrous.data.annotations import Shape, box, ellipse, turned
from atrous.data.classes import Classes
from atrous.data.rasterizing import Bitmap, Ring
from atrous.data.records import Record, checked
from atrous.data.run_lengths import decode_runs
from atrous.errors import DatasetError

Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]
Layer = Annotated[int, Field(ge=-(2**31), le=2**31)]


class CvatShape(Record):
    """What all shapes have."""

    label: str
    z_order: Layer = 0


class CvatPolygon(CvatShape):
    """Corners, as `x,y;x,y;...`."""

    points: str


class CvatBox(CvatShape):
    """A box; `rotation` turns it clockwise around its middle."""

    xtl: Coordinate
    ytl: Coordinate
    xbr: Coordinate
    ybr: Coordinate
    rotation: Coordinate = 0.0


class CvatEllipse(CvatShape):
    """An ellipse by its middle and its radii."""

    cx: Coordinate
    cy: Coordinate
    rx: Coordinate
    ry: Coordinate
    rotation: Coordinate = 0.0


class CvatMask(CvatShape):
    """Run lengths along the rows of a rectangle of pixels."""

    rle: str
    left: Annotated[int, Field(ge=-(2**31), le=2**31)]
    top: Annotated[int, Field(ge=-(2**31), le=2**31)]
    width: Annotated[int, Field(ge=0, le=2**31)]
    height: Annotated[int, Field(ge=0, le=2**31)]


def read_shape(element: Element, size: tuple[int, int], classes: Classes, source: str) -> Shape:
    """Read a shape.

    Args:
        element: An element of one of the tags in `SHAPES`.
        size: (height, width) of its picture.
        classes: What labels mean.
        source: Where it stands, for messages.

    Raises:
        DatasetError: If it is damaged or its label unknown.
    """
    return SHAPES[element.tag](element.attrib, size, classes, source)


def _polygon(attributes: Mapping[str, str], size: tuple[int, int], classes: Classes, source: str) -> Shape:
    del size
    polygon = checked(CvatPolygon, attributes, source)
    return Shape(
        classes.meaning(polygon.label, source), [[_ring(polygon.points, source)]], layer=above(polygon.z_order)
    )


def _box(attributes: Mapping[str, str], size: tuple[int, int], classes: Classes, source: str) -> Shape:
    del size
    given = checked(CvatBox, attributes, source)
    ring = turned(box(given.xtl, given.ytl, given.xbr, given.ybr), given.rotation)
    return Shape(classes.meaning(given.label, source), [[ring]], layer=above(given.z_order))


def _ellipse(attributes: Mapping[str, str], size: tuple[int, int], classes: Classes, source: str) -> Shape:
    del size
    given = checked(CvatEllipse, attributes, source)
    ring = turned(ellipse(given.cx, given.cy, given.rx, given.ry), given.rotation)
    return Shape(classes.meaning(given.label, source), [[ring]], layer=above(given.z_order))


def _mask(attributes: Mapping[str, str], size: tuple[int, int], classes: Classes, source: str) -> Shape:
    mask = checked(CvatMask, attributes, source)
    label = classes.meaning(mask.label, source)
    if mask.height > size[0] or mask.width > size[1]:
        raise DatasetError(
            f"{source} has a mask of {mask.width}x{mask.height} pixels in a picture of {size[1]}x{size[0]} (width x "
            "height): export it again."
        )
    try:
        runs = [int(run) for run in mask.rle.split(",")]
        bits = decode_runs(runs, (mask.height, mask.width), by_columns=False)
    except ValueError as error:
        raise DatasetError(f"{source} has a mask whose `rle` cannot be read ({error}): export it again.") from None
    return Shape(label, bitmap=Bitmap(bits, mask.top, mask.left), layer=above(mask.z_order))


def above(z_order: int) -> int:
    """A layer above the ground: users may put shapes into layers below 0."""
    return z_order + 2**31


def _ring(text: str, source: str) -> Ring:
    try:
        ring = np.array([[float(value) for value in point.split(",")] for point in text.split(";")], np.float64)
    except ValueError:
        ring = np.zeros((0, 0))
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise DatasetError(f"{source} has a polygon whose `points` are not of the form x,y;x,y;...: export it again.")
    return ring


SHAPES: Mapping[str, Callable[[Mapping[str, str], tuple[int, int], Classes, str], Shape]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}
"""How the shapes with an area are read, by their tags; polylines, points, cuboids, skeletons and tags have none."""
