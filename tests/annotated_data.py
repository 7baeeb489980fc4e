"""Tiny data sets in the layouts of annotation tools, each of the same two pictures with the same mask."""

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atrous.data import DataConfig
from atrous.data.sources.coco import CocoConfig
from atrous.data.sources.coco_panoptic import CocoPanopticConfig
from atrous.data.sources.cvat import CvatConfig
from atrous.data.sources.deepfashion2 import DeepFashion2Config
from atrous.data.sources.labelme import LabelMeConfig
from atrous.data.sources.supervisely import SuperviselyConfig
from atrous.data.sources.yolo import YoloConfig
from atrous.images import write_image
from tests.tiny_data import noise

SIZE = (10, 12)
SQUARE = [[2.0, 1.0], [6.0, 1.0], [6.0, 5.0], [2.0, 5.0]]
BAR = [[5.0, 4.0], [11.0, 4.0], [11.0, 7.0], [5.0, 7.0]]
NAMES = ("a", "b")


def expected_mask(square: int = 1, bar: int = 2) -> NDArray[np.uint8]:
    """A square, and a bar above it."""
    mask = np.zeros(SIZE, np.uint8)
    mask[1:5, 2:6] = square
    mask[4:7, 5:11] = bar
    return mask


def write_pictures(folder: Path, suffix: str = ".png") -> None:
    for seed, name in enumerate(NAMES):
        write_image(folder / f"{name}{suffix}", noise(SIZE, seed))


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def png(values: NDArray[Any], *, packed: bool = False) -> str:
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8) * 255).save(stream, "PNG")
    content = stream.getvalue()
    return base64.b64encode(zlib.compress(content) if packed else content).decode()


def cvat_points(ring: list[list[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)


def cvat_xml(shapes: str | None = None, image: str = "") -> str:
    default = (
        f'<polygon label="square" points="{cvat_points(SQUARE)}" occluded="0" z_order="0"></polygon>'
        '<box label="bar" xtl="5" ytl="4" xbr="11" ybr="7" z_order="1"><attribute name="x">y</attribute></box>'
    )
    images = "".join(
        f'<image id="{number}" name="{name}.png" {image} width="12" height="10">{default if shapes is None else shapes}'
        "</image>\n"
        for number, name in enumerate(NAMES)
    )
    labels = "".join(
        f"<label><name>{name}</name><color>{color}</color><attributes></attributes></label>"
        for name, color in (("square", "#ff0000"), ("bar", "#0000ff"))
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task><name>tiny</name>'
        f"<labels>{labels}</labels></task></meta>\n{images}</annotations>"
    )


def write_cvat_set(root: Path) -> DataConfig:
    write_pictures(root / "images")
    (root / "annotations.xml").write_text(cvat_xml())
    return CvatConfig(root=root)


def labelme_object(label: str, ring: list[list[float]], number: int, *, deleted: int = 0, part_of: str = "") -> str:
    points = "".join(f"<pt><x>{x:.2f}</x><y>{y:.2f}</y></pt>" for x, y in ring)
    return (
        f"<object><name>{label}</name><deleted>{deleted}</deleted><id>{number}</id><parts><hasparts></hasparts><ispartof>"
        f"{part_of}</ispartof></parts><polygon>{points}<username></username></polygon></object>"
    )


def labelme_xml(filename: str, objects: str | None = None) -> str:
    default = labelme_object("square", SQUARE, 0) + labelme_object("bar", BAR, 1)
    return (
        f"<annotation><filename>{filename}</filename><folder></folder><imagesize><nrows>10</nrows><ncols>12</ncols>"
        f"</imagesize>{default if objects is None else objects}</annotation>"
    )


def write_labelme_xml_set(root: Path) -> DataConfig:
    write_pictures(root)
    for name in NAMES:
        (root / f"{name}.xml").write_text(labelme_xml(f"{name}.png"))
    return LabelMeConfig(root=root, classes=("square", "bar"), overlap="drawing_order")


def labelme_json(picture: str, shapes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    default: list[dict[str, Any]] = [
        {"label": "square", "points": SQUARE, "shape_type": "polygon", "group_id": None, "flags": {}},
        {"label": "bar", "points": [BAR[0], BAR[2]], "shape_type": "rectangle", "group_id": None, "flags": {}},
    ]
    return {
        "version": "5.5.0", "flags": {}, "shapes": default if shapes is None else shapes, "imagePath": picture,
        "imageData": None, "imageHeight": 10, "imageWidth": 12,
    }  # fmt: skip


def write_labelme_json_set(root: Path) -> DataConfig:
    write_pictures(root)
    for name in NAMES:
        write_json(root / f"{name}.json", labelme_json(f"{name}.png"))
    return LabelMeConfig(root=root, classes=("square", "bar"), overlap="drawing_order")


def supervisely_annotation(objects: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    square = {
        "classTitle": "square",
        "geometryType": "rectangle",
        "points": {"exterior": [[2, 1], [5, 4]], "interior": []},
    }
    bits = {"data": png(np.ones((3, 6)), packed=True), "origin": [5, 4]}
    bar = {"classTitle": "bar", "geometryType": "bitmap", "bitmap": bits}
    return {"description": "", "tags": [], "size": {"height": 10, "width": 12}, "objects": objects or [square, bar]}


def write_supervisely_set(root: Path) -> DataConfig:
    write_pictures(root / "ds0/img")
    classes = [{"title": "square", "shape": "any", "color": "#FF0000"}, {"title": "bar", "color": "#0000FF"}]
    write_json(root / "meta.json", {"classes": classes, "tags": []})
    for name in NAMES:
        write_json(root / f"ds0/ann/{name}.png.json", supervisely_annotation())
    return SuperviselyConfig(root=root)


def write_yolo_set(root: Path) -> DataConfig:
    write_pictures(root / "images/train")
    (root / "data.yaml").write_text("path: .\ntrain: images/train\nnames:\n  0: square\n  1: bar\n")
    lines = [
        f"{number} " + " ".join(f"{x / 12:.6f} {y / 10:.6f}" for x, y in ring)
        for number, ring in enumerate((SQUARE, BAR))
    ]
    (root / "labels/train").mkdir(parents=True)
    for name in NAMES:
        (root / f"labels/train/{name}.txt").write_text("\n".join(lines) + "\n")
    return YoloConfig(root=root, overlap="drawing_order")


def coco_content(objects: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The two pictures have the numbers 7 and 3, and the categories 2 and 5."""
    rings = {2: SQUARE, 5: BAR}
    default = [
        {"category_id": category, "segmentation": [np.ravel(ring).tolist()], "iscrowd": 0}
        for category, ring in rings.items()
    ]
    images = [
        {"id": number, "file_name": f"{name}.png", "height": 10, "width": 12}
        for number, name in zip((7, 3), NAMES, strict=True)
    ]
    listed = default if objects is None else objects
    annotations = [
        {"id": 10 * image + place, "image_id": image, **thing} for image in (3, 7) for place, thing in enumerate(listed)
    ]
    categories = [{"id": 5, "name": "bar"}, {"id": 2, "name": "square"}]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def write_coco_set(root: Path) -> DataConfig:
    write_pictures(root / "val2017")
    write_json(root / "annotations/instances_val2017.json", coco_content())
    return CocoConfig(root=root, overlap="drawing_order")


def write_panoptic_set(root: Path) -> DataConfig:
    write_pictures(root / "val2017")
    content = coco_content()
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[expected_mask() == 1] = (1, 2, 3)
    colors[expected_mask() == 2] = (9, 0, 1)
    segments = [
        {"id": 1 + 2 * 256 + 3 * 65536, "category_id": 2, "iscrowd": 0}, {"id": 9 + 65536, "category_id": 5}
    ]  # fmt: skip
    content["annotations"] = [
        {"image_id": number, "file_name": f"{name}.png", "segments_info": segments}
        for number, name in zip((3, 7), reversed(NAMES), strict=True)
    ]
    for name in NAMES:
        write_image(root / f"annotations/panoptic_val2017/{name}.png", colors)
    write_json(root / "annotations/panoptic_val2017.json", content)
    return CocoPanopticConfig(root=root, background="background")


def write_deepfashion2_set(root: Path) -> DataConfig:
    write_pictures(root / "validation/image", ".jpg")
    items = [
        {"category_id": number, "category_name": "x", "segmentation": [np.ravel(ring).tolist()], "style": 0}
        for number, ring in enumerate((SQUARE, BAR), start=1)
    ]
    for name in NAMES:
        write_json(
            root / f"validation/annos/{name}.json",
            {"source": "shop", "pair_id": 1, "item1": items[0], "item2": items[1]},
        )
    return DeepFashion2Config(root=root, overlap="drawing_order")


WRITERS: dict[str, tuple[Callable[[Path], DataConfig], str]] = {
    "cvat": (write_cvat_set, "all"),
    "labelme xml": (write_labelme_xml_set, "all"),
    "labelme json": (write_labelme_json_set, "all"),
    "supervisely": (write_supervisely_set, "ds0"),
    "yolo": (write_yolo_set, "train"),
    "coco": (write_coco_set, "val"),
    "coco-panoptic": (write_panoptic_set, "val"),
    "deepfashion2": (write_deepfashion2_set, "val"),
}
"""How each is written, and the name of its only split."""
