"""Masks as polygons in the JSON of the labelme program, one file per picture."""

import json
from pathlib import Path

from atrous.data.labelled import LabelledImage, rings_of, written_labels
from atrous.data.polygons import DEFAULT_TOLERANCE
from atrous.files import replacing, write_text
from atrous.labels import LabelSpace


def write_labelme(path: Path, image: LabelledImage, labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE) -> None:
    """Write the annotation of one picture, which need not lie beside it.

    Args:
        path: The file, called as the picture is, with the suffix `.json`.
        image: The picture's name, as it is found from the file's folder, and its mask.
        labels: What the mask means.
        tolerance: How far outlines may leave the sides of pixels, in pixels.

    Raises:
        OutputError: If the place cannot be written.
    """
    height, width = image.mask.shape
    shapes = [
        {
            "label": area.label,
            "points": area.ring.round(2).tolist(),
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for area in rings_of(image.mask, labels, tolerance)
    ]
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": image.name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    with replacing(path, flush=False) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def write_labels(folder: Path, labels: LabelSpace) -> None:
    """Write `labels.txt`, which gives the classes their order.

    Raises:
        OutputError: If the place cannot be written.
    """
    write_text(folder / "labels.txt", "".join(f"{name}\n" for name in written_labels(labels)))
