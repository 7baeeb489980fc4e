"""Supervisely: a project with `meta.json`, and in each data set a folder `img` and a folder `ann`.

Source: developer.supervisely.com, "Supervisely annotation format". Its coordinates name whole pixels, and its own
program fills a polygon with its outline; so do we.
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from atrous.config import parse
from atrous.data.annotation_files import AnnotationFiles
from atrous.data.annotations import AnnotatedImages, Annotation, Shape
from atrous.data.classes import Classes, ListedClass, ShapeChoices, classes_of
from atrous.data.embedded import EmbeddedFile, from_base64, inflated
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import find_picture
from atrous.data.rasterizing import Bitmap
from atrous.data.records import Record, checked, read_json
from atrous.data.samples import SegmentationDataset
from atrous.data.split_names import EVERYTHING, find_split, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.images import read_bits
from atrous.picture_paths import unique_stems

Size = Annotated[int, Field(gt=0, le=65535)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Points = tuple[tuple[Coordinate, Coordinate], ...]


class SuperviselyConfig(ShapeChoices):
    """A project of Supervisely, as it is downloaded.

    The classes are those of `meta.json` in their order, with their colours. Objects are drawn in the order of the file.
    """

    kind: Literal["supervisely"] = "supervisely"
    root: Path
    """The folder or archive with `meta.json`; the data sets of the project are its splits, `all` is all of them."""


class SuperviselyClass(Record):
    """An entry of `classes` in `meta.json`."""

    title: str
    color: str = ""


class SuperviselyMeta(Record):
    """`meta.json`."""

    classes: tuple[SuperviselyClass, ...]


class SuperviselyRings(Record):
    """A polygon, or the corners of a rectangle."""

    exterior: Points
    interior: tuple[Points, ...] = ()


class SuperviselyBitmap(Record):
    """Pixels, as a packed PNG, and where the first of them is."""

    data: str
    origin: tuple[Annotated[int, Field(ge=-(10**6), le=10**6)], Annotated[int, Field(ge=-(10**6), le=10**6)]]


class SuperviselyObject(Record):
    """One object."""

    label: Annotated[str, Field(alias="classTitle")]
    geometry: Annotated[str, Field(alias="geometryType")]
    points: SuperviselyRings | None = None
    parts: tuple[SuperviselyRings, ...] = ()
    bitmap: SuperviselyBitmap | None = None


class SuperviselySize(Record):
    """The picture's size."""

    height: Size
    width: Size


class SuperviselyAnnotation(Record):
    """The file of one picture."""

    size: SuperviselySize
    objects: tuple[SuperviselyObject, ...] = ()


def supervisely(config: SuperviselyConfig, split: str) -> SegmentationDataset:
    """Open one data set of a project of Supervisely.

    Raises:
        DatasetNotFoundError: If there is no project.
        DatasetError: If it has no such data set, or `meta.json` is damaged.
        ConfigError: If a choice names what is no class.
    """
    tree, folders = _open(config.root)
    found = find_split(split, {*folders, EVERYTHING}, tree.place)
    chosen = list(folders) if found == EVERYTHING else [found]
    source = str(tree.file("meta.json"))
    meta = checked(SuperviselyMeta, read_json(tree, "meta.json"), source)
    listed = [parse(ListedClass, {"name": c.title, "color": _color(c.color)}, source) for c in meta.classes]
    classes = classes_of(listed, config, source)
    files = Names(file for folder in chosen for file in folders[folder])
    names = Names(unique_stems([Path(_picture_of(file)) for file in files]))
    read = partial(_read_annotation, classes=classes)
    return AnnotatedImages(config.root.stem, split, classes, AnnotationFiles(tree, files, names, read))


def supervisely_splits(config: SuperviselyConfig) -> tuple[str, ...]:
    """The data sets of the project, by our names where they mean a split.

    Raises:
        DatasetNotFoundError: If there is no project.
    """
    return tuple(sorted(map(usual_name, _open(config.root)[1])))


def _open(root: Path) -> tuple[FileTree, dict[str, Sequence[str]]]:
    """The project, and the annotation files of each of its data sets."""
    tree = open_tree(root).folder_with("meta.json")
    files = sorted(name for name in tree.walk() if _is_annotation(name)) if tree else []
    if tree is None or not files:
        raise DatasetNotFoundError(
            f"No project of Supervisely in {root}: it has no meta.json with folders `ann` and `img` below. Give the "
            "folder or the archive that contains them."
        )
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(posixpath.dirname(posixpath.dirname(file)) or EVERYTHING, []).append(file)
    return tree, {folder: Names(of_folder) for folder, of_folder in folders.items()}


def _is_annotation(name: str) -> bool:
    return name.endswith(".json") and posixpath.basename(posixpath.dirname(name)) == "ann"


def _picture_of(file: str) -> str:
    """`ann/a.png.json` is that of `img/a.png`."""
    return posixpath.splitext(posixpath.basename(file))[0]


def _read_annotation(tree: FileTree, file: str, name: str, *, classes: Classes) -> Annotation:
    source = str(tree.file(file))
    content = checked(SuperviselyAnnotation, read_json(tree, file), source)
    folder = posixpath.join(posixpath.dirname(posixpath.dirname(file)), "img")
    picture = _picture_of(file)
    endings = ("", ".jpg", ".jpeg", ".png")  # old exports leave the picture's suffix out of the annotation's name
    there = [picture + ending for ending in endings if tree.has_file(posixpath.join(folder, picture + ending))]
    path = find_picture(tree, there[0] if there else picture, (folder,), (), source)
    size = (content.size.height, content.size.width)
    with_area = [thing for thing in content.objects if thing.geometry in AREAS]
    shapes = [
        Shape(classes.meaning(thing.label, source), bitmap=AREAS[thing.geometry](thing, size, source))
        for thing in with_area
    ]
    return Annotation(name, tree.file(path), shapes, size, len(content.objects) - len(shapes))


def _polygon(thing: SuperviselyObject, size: tuple[int, int], source: str) -> Bitmap:
    bits = np.zeros(size, np.uint8)
    for rings in thing.parts or (thing.points,):
        if rings is None or not rings.exterior:
            raise DatasetError(f"{source} has a {thing.geometry} of {thing.label!r} without corners: export it again.")
        part = np.zeros(size, np.uint8)
        for points, value in ((rings.exterior, 1), *((hole, 0) for hole in rings.interior if hole)):
            cv2.fillPoly(part, [np.floor(np.array(points)).astype(np.int32)], value)
        bits |= part
    return Bitmap(bits.astype(np.bool_), 0, 0)


def _rectangle(thing: SuperviselyObject, size: tuple[int, int], source: str) -> Bitmap:
    if thing.points is None or len(thing.points.exterior) != 2:
        raise DatasetError(f"{source} has a rectangle of {thing.label!r} without two corners: export it again.")
    corners = np.floor(np.array(thing.points.exterior)).astype(np.int64)
    (left, top), (right, bottom) = corners.min(axis=0).clip(0), corners.max(axis=0).clip(-1, (size[1] - 1, size[0] - 1))
    return Bitmap(np.ones((max(0, bottom + 1 - top), max(0, right + 1 - left)), np.bool_), int(top), int(left))


def _bitmap(thing: SuperviselyObject, size: tuple[int, int], source: str) -> Bitmap:
    del size
    if thing.bitmap is None:
        raise DatasetError(f"{source} has a bitmap of {thing.label!r} without its pixels: export it again.")
    content = inflated(from_base64(thing.bitmap.data, source), source)
    left, top = thing.bitmap.origin
    return Bitmap(read_bits(EmbeddedFile(content, source, f"bitmap of {thing.label}")), top, left)


AREAS: Mapping[str, Callable[[SuperviselyObject, tuple[int, int], str], Bitmap]] = {
    "polygon": _polygon,
    "multipolygon": _polygon,
    "rectangle": _rectangle,
    "bitmap": _bitmap,
}
"""How the pixels of an object are found, by its geometry; points, lines, keypoints and cuboids have none."""


def _color(text: str) -> tuple[int, ...] | None:
    """RGB of `#rrggbb`; none where it is not given."""
    try:
        return tuple(bytes.fromhex(text.removeprefix("#"))) if len(text) == 7 else None
    except ValueError:
        return None
