"""Masks as polygons in COCO's JSON; each connected area is an instance."""

import json
from collections.abc import Iterable
from pathlib import Path

from atrous.data.labelled import LabelledImage, NamedRing, rings_of, written_labels
from atrous.data.polygons import DEFAULT_TOLERANCE
from atrous.files import replacing
from atrous.labels import LabelSpace


def write_coco(
    path: Path, title: str, images: Iterable[LabelledImage], labels: LabelSpace, tolerance: float = DEFAULT_TOLERANCE
) -> None:
    """Write the annotations of a split as one JSON, picture by picture.

    The ids of categories and pictures count from 1.

    Args:
        path: The file, usually `annotations/instances_<split>.json` beside a folder of the split's name.
        title: The data set's name.
        images: The pictures, in their order; they may come from a generator.
        labels: What their masks mean.
        tolerance: How far outlines may leave the sides of pixels, in pixels.

    Raises:
        OutputError: If the place cannot be written.
    """
    written = written_labels(labels)
    categories = {name: place for place, name in enumerate(written, start=1)}
    entries, count = [], 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {json.dumps({"description": title})},\n"licenses": [],\n"annotations": [')
        for number, image in enumerate(images, start=1):
            height, width = image.mask.shape
            entries.append({"id": number, "file_name": image.name, "height": height, "width": width})
            for area in rings_of(image.mask, labels, tolerance):
                count += 1
                entry = {"id": count, "image_id": number, "category_id": categories[area.label], **_shape(area)}
                file.write(f"{',' * (count > 1)}\n{json.dumps(entry)}")
        file.write(f'],\n"images": {json.dumps(entries)},\n')
        listed = [
            {"id": categories[name], "name": name, "supercategory": "", "color": color}
            for name, color in written.items()
        ]
        file.write(f'"categories": {json.dumps(listed)}}}\n')


def _shape(area: NamedRing) -> dict[str, object]:
    left, top = area.ring.min(axis=0).tolist()
    right, bottom = area.ring.max(axis=0).tolist()
    return {
        "segmentation": [area.ring.round(2).ravel().tolist()],
        "area": round(area.area, 2),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
    }
