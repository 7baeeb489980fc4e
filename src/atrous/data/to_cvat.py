"""Masks as polygons in CVAT's XML, "CVAT for images 1.1"."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from atrous.data.labelled import LabelledImage, rings_of, written_labels
from atrous.data.polygons import DEFAULT_TOLERANCE
from atrous.errors import OutputError
from atrous.files import replacing
from atrous.labels import LabelSpace

ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no way to write."""


def write_cvat(
    path: Path, title: str, images: Iterable[LabelledImage], labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE
) -> None:
    """Write the annotations of pictures as one XML, picture by picture.

    Args:
        path: The file, usually `annotations.xml` beside a folder `images`.
        title: The task's name.
        images: The pictures, in their order; they may come from a generator.
        labels: What their masks mean.
        tolerance: How far outlines may leave the sides of pixels, in pixels.

    Raises:
        OutputError: If the place cannot be written, or a name is no text.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(_head(title, labels))
        for number, image in enumerate(images):
            file.write(_element(number, image, labels, tolerance))
        file.write("</annotations>\n")


def _head(title: str, labels: LabelSpace) -> str:
    entries = "".join(
        f"<label><name>{escape(_legal(name))}</name><color>#{bytes(color).hex()}</color><type>any</type>"
        "<attributes></attributes></label>\n"
        for name, color in written_labels(labels).items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta>\n<task>\n'
        f"<name>{escape(_legal(title))}</name>\n<mode>annotation</mode>\n<labels>\n{entries}</labels>\n</task>\n</meta>\n"
    )


def _element(number: int, image: LabelledImage, labels: LabelSpace, tolerance: float) -> str:
    height, width = image.mask.shape
    subset = f" subset={quoteattr(image.split)}" if image.split else ""
    polygons = "".join(
        f'<polygon label={quoteattr(area.label)} source="file" occluded="0" points="{_points(area.ring.tolist())}" '
        'z_order="0"></polygon>\n'
        for area in rings_of(image.mask, labels, tolerance)
    )
    name = quoteattr(_legal(image.name))
    return f'<image id="{number}" name={name}{subset} width="{width}" height="{height}">\n{polygons}</image>\n'


def _points(ring: list[list[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)


def _legal(text: str) -> str:
    if ILLEGAL.search(text):
        raise OutputError(f"The name {text!r} cannot be written into XML: rename it.")
    return text
