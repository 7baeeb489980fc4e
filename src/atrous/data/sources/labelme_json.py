"""The JSON of the labelme program: polygons, rectangles, circles and masks; the picture may be embedded."""

import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from atrous.data.annotations import Annotation, Shape, box, ellipse
from atrous.data.archives import PackedFile
from atrous.data.classes import Classes
from atrous.data.embedded import EmbeddedFile, from_base64
from atrous.data.file_tree import FileTree
from atrous.data.pictures import find_picture
from atrous.data.rasterizing import Bitmap
from atrous.data.records import Record, checked, read_json
from atrous.data.sources.labelme_xml import name_of
from atrous.errors import DatasetError
from atrous.images import read_bits

Size = Annotated[int, Field(gt=0)]
WITHOUT_AREA = ("line", "linestrip", "point", "points")


class LabelMeShape(Record):
    """One shape."""

    label: str
    points: tuple[tuple[float, float], ...]
    shape_type: str = "polygon"
    mask: str | None = None


class LabelMeAnnotation(Record):
    """The file of one picture."""

    shapes: tuple[LabelMeShape, ...]
    image_path: Annotated[str, Field(alias="imagePath")]
    image_data: Annotated[str | None, Field(alias="imageData")] = None
    height: Annotated[Size | None, Field(alias="imageHeight")] = None
    width: Annotated[Size | None, Field(alias="imageWidth")] = None


def read_annotation(tree: FileTree, file: str, folders: Sequence[str], classes: Classes, name: str) -> Annotation:
    """Read the annotation of one picture; arguments and errors are those of the XML's."""
    source = str(tree.file(file))
    content = checked(LabelMeAnnotation, read_json(tree, file), source)
    path, image = _picture(content, tree, file, folders)
    shapes = [_shape(shape, classes, source) for shape in content.shapes if shape.shape_type not in WITHOUT_AREA]
    size = (content.height, content.width) if content.height and content.width else None
    return Annotation(name_of(path, file, name), image, shapes, size, len(content.shapes) - len(shapes))


def labels_in(tree: FileTree, file: str) -> set[str]:
    """The labels of all shapes in an annotation.

    Raises:
        DatasetError: If it is damaged.
    """
    return {shape.label for shape in checked(LabelMeAnnotation, read_json(tree, file), str(tree.file(file))).shapes}


def _picture(
    content: LabelMeAnnotation, tree: FileTree, file: str, folders: Sequence[str]
) -> tuple[str, Path | PackedFile | EmbeddedFile]:
    """The picture's path and file: as it is named from the annotation's folder, else by its name, else the embedded."""
    source = str(tree.file(file))
    named = content.image_path.replace("\\", "/")
    around = posixpath.dirname(file)
    exact = posixpath.normpath(posixpath.join(around, named))
    if not exact.startswith(("/", "../")) and "\0" not in exact and tree.has_file(exact):
        return exact, tree.file(exact)
    try:
        path = find_picture(tree, posixpath.basename(named), (around,), folders, source)
    except DatasetError:
        if not content.image_data:
            raise
        picture = posixpath.basename(named) or "picture"
        return picture, EmbeddedFile(from_base64(content.image_data, source), source, picture)
    return path, tree.file(path)


def _shape(shape: LabelMeShape, classes: Classes, source: str) -> Shape:
    label = classes.meaning(shape.label, source)
    points = np.array(shape.points, np.float64).reshape(-1, 2)
    match shape.shape_type, len(points):
        case "mask", 1 | 2:
            return Shape(label, bitmap=_bitmap(shape, source))
        case "rectangle", 2:
            return Shape(label, [[box(*points.min(axis=0), *points.max(axis=0))]])
        case "circle", 2:
            radius = float(np.hypot(*(points[1] - points[0])))
            return Shape(label, [[ellipse(float(points[0, 0]), float(points[0, 1]), radius, radius)]])
        case (("polygon" | "rectangle" | "oriented_rectangle"), count) if count >= 3:
            return Shape(label, [[points]])
        case _:
            raise DatasetError(
                f"{source} has a {shape.shape_type} of {len(points)} points with the label {shape.label!r}, which is "
                "no area that is known here: correct it, or take it out."
            )


def _bitmap(shape: LabelMeShape, source: str) -> Bitmap:
    if not shape.mask:
        raise DatasetError(f"{source} has a mask of {shape.label!r} without its pixels: export it again.")
    left, top = (round(min(max(value, -1e6), 1e6)) for value in shape.points[0])
    return Bitmap(read_bits(EmbeddedFile(from_base64(shape.mask, source), source, f"mask of {shape.label}")), top, left)
