"""What all formats of polygons are written from: pictures by their names, with their masks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from atrous.data.classes import IGNORE_LABEL
from atrous.data.polygons import DEFAULT_TOLERANCE, keyhole, polygons_of
from atrous.data.rasterizing import Ring
from atrous.labels import IGNORE_COLOR, Color, LabelSpace, Mask

BACKGROUND = "background"


class LabelledImage(NamedTuple):
    """A picture and what is said of it."""

    name: str
    """The picture's file name, with its suffix."""
    mask: Mask
    """The truth, or a prediction."""
    split: str = ""


class NamedRing(NamedTuple):
    """An area with its label's name; where it has holes, cuts lead to them."""

    label: str
    ring: Ring
    area: float
    """In pixels."""


def written_labels(labels: LabelSpace) -> dict[str, Color]:
    """The labels that are written, with their colours: all classes but `background`, and `ignore`."""
    classes = dict(zip(labels.names, labels.colors, strict=True))
    return {name: color for name, color in classes.items() if name != BACKGROUND} | {IGNORE_LABEL: IGNORE_COLOR}


def rings_of(mask: Mask, labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE) -> Iterator[NamedRing]:
    """The areas of a mask, the largest first, so that a smaller one is drawn above it.

    What belongs to `background` has none: it is what nothing covers. What is ignored has the label `ignore`.
    """
    names = (*labels.names, IGNORE_LABEL)
    closed = np.minimum(mask, labels.num_classes)  # the ignore value stands behind the classes
    everything = LabelSpace.from_names([str(place) for place in range(len(names))])
    found = polygons_of(closed, everything, tolerance)
    for polygon in sorted(found, key=lambda polygon: -polygon.area):
        if names[polygon.label] != BACKGROUND:
            yield NamedRing(names[polygon.label], keyhole(polygon), polygon.area)
