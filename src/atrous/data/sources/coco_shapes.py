"""The objects of COCO's JSON."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from atrous.data.annotations import ON_THE_GROUND, Shape
from atrous.data.classes import Classes
from atrous.data.rasterizing import Bitmap
from atrous.data.records import Record
from atrous.data.run_lengths import decode_runs, unpack_runs
from atrous.errors import DatasetError

Size = Annotated[int, Field(ge=0, le=65535)]


class CocoRuns(Record):
    """Run lengths down the columns, as numbers or as COCO's string of them."""

    size: tuple[Size, Size]
    counts: tuple[int, ...] | str


class CocoObject(Record):
    """An entry of `annotations`."""

    category_id: int
    segmentation: CocoRuns | tuple[tuple[float, ...], ...] | None = None
    iscrowd: int = 0


def read_shape(
    thing: CocoObject, size: tuple[int, int], labels: Mapping[int, str], classes: Classes, source: str
) -> Shape | None:
    """Read the shape of an object.

    Args:
        thing: The object.
        size: (height, width) of its picture.
        labels: The name of each category.
        classes: What the names mean.
        source: Where it stands, for messages.

    Returns:
        The shape; a crowd is ignored, and gives way to every object. None if it has only a box, a line or key points.

    Raises:
        DatasetError: If it is damaged or its category unknown.
    """
    if thing.category_id not in labels:
        raise DatasetError(
            f"{source} has an object of the category {thing.category_id}, which `categories` does not list: export it "
            "again."
        )
    if not thing.segmentation:
        return None
    label = classes.meaning(labels[thing.category_id], source)
    if thing.iscrowd:
        label = classes.labels.ignore_index
    layer = ON_THE_GROUND if thing.iscrowd else 0
    if isinstance(thing.segmentation, CocoRuns):
        return Shape(label, bitmap=_bitmap(thing.segmentation, size, source), layer=layer)
    rings = [np.array(corners, np.float64) for corners in thing.segmentation]
    if any(len(ring) % 2 for ring in rings):
        raise DatasetError(f"{source} has a polygon with an odd number of coordinates: export it again.")
    areas = [ring.reshape(-1, 2) for ring in rings if len(ring) >= 6]
    return Shape(label, [[ring] for ring in areas], layer=layer) if areas else None


def _bitmap(runs: CocoRuns, size: tuple[int, int], source: str) -> Bitmap:
    if runs.size != size:
        raise DatasetError(
            f"{source} has a mask of {runs.size[1]}x{runs.size[0]} pixels in a picture of {size[1]}x{size[0]} (width x "
            "height): export it again."
        )
    try:
        counts = unpack_runs(runs.counts) if isinstance(runs.counts, str) else runs.counts
        return Bitmap(decode_runs(counts, size, by_columns=True), 0, 0)
    except ValueError as error:
        raise DatasetError(f"{source} has a mask whose `counts` cannot be read ({error}): export it again.") from None
