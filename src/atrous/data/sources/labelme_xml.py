"""LabelMe's XML: the tool's own, and that of CVAT's export "LabelMe ZIP 3.0", whose coordinates have fractions."""

import posixpath
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from atrous.data.annotations import Annotation, Shape, box
from atrous.data.classes import Classes
from atrous.data.file_tree import FileTree
from atrous.data.pictures import find_picture
from atrous.data.rasterizing import Bitmap, Ring
from atrous.data.records import Record, checked, parse_xml, text_of
from atrous.errors import DatasetError
from atrous.images import read_bits

PART = 1
"""The layer of what is a part of something else."""


class ImageSize(Record):
    """The element `imagesize`."""

    nrows: int
    ncols: int


class Point(Record):
    """The element `pt`."""

    x: float
    y: float


def read_annotation(tree: FileTree, file: str, folders: Sequence[str], classes: Classes, name: str) -> Annotation:
    """Read the annotation of one picture.

    Args:
        tree: All files.
        file: The path of the annotation.
        folders: Where pictures may be.
        classes: What the labels mean.
        name: How the sample is called if its picture is called as the annotation is.

    Raises:
        DatasetError: If it is damaged, its picture is nowhere, or a label is unknown.
    """
    source = str(tree.file(file))
    root = _read(tree, file)
    picture = text_of(root, "filename")
    if not picture:
        raise DatasetError(f"{source} names no picture in `filename`: add it, or take the annotation out.")
    around = posixpath.dirname(file)
    beside = (posixpath.join(around, text_of(root, "folder").strip("/")), around)
    path = find_picture(tree, picture, beside, folders, source)
    shapes = [shape for element in _objects(root) if (shape := _shape(element, tree, around, classes, source))]
    passed_over = sum(1 for _ in _objects(root)) - len(shapes)
    size = _size(root, source)
    return Annotation(name_of(path, file, name), tree.file(path), shapes, size, passed_over)


def labels_in(tree: FileTree, file: str) -> set[str]:
    """The labels of all shapes in an annotation.

    Raises:
        DatasetError: If it is damaged.
    """
    return {text_of(element, "name") for element in _objects(_read(tree, file))}


def name_of(picture: str, file: str, name: str) -> str:
    """The sample's name: that of the annotation, or that of its picture where they are called differently."""
    path = posixpath.splitext(picture)[0]
    same = posixpath.basename(path) == posixpath.splitext(posixpath.basename(file))[0]
    return name if same else path.replace("/", "_")


def _read(tree: FileTree, file: str) -> Element:
    root = parse_xml(tree.read(file), str(tree.file(file)))
    if root.tag != "annotation":
        raise DatasetError(
            f"{tree.file(file)} starts with <{root.tag}> and not with <annotation>: it is no annotation of LabelMe; "
            "take it out, or name the data set's own kind, such as cvat."
        )
    return root


def _objects(root: Element) -> Iterator[Element]:
    """The objects that were not deleted."""
    return (element for element in root.iter("object") if text_of(element, "deleted", "0") in ("0", ""))


def _size(root: Element, source: str) -> tuple[int, int] | None:
    element = root.find("imagesize")
    if element is None:
        return None
    size = checked(ImageSize, {"nrows": text_of(element, "nrows"), "ncols": text_of(element, "ncols")}, source)
    return size.nrows, size.ncols


def _shape(element: Element, tree: FileTree, around: str, classes: Classes, source: str) -> Shape | None:
    """The shape of an object; none if it is a line or a point."""
    label = classes.meaning(text_of(element, "name"), source)
    layer = PART if text_of(element, "parts/ispartof") else 0
    mask = text_of(element, "segm/mask")
    if mask:
        path = find_picture(tree, mask, (posixpath.join(around, "Masks"), around), (), source)
        return Shape(label, bitmap=Bitmap(read_bits(tree.file(path)), 0, 0), layer=layer)
    ring = _ring(element, source)
    if len(ring) >= 3:
        return Shape(label, [[ring]], layer=layer)
    if len(ring) == 2 and text_of(element, "type") == "bounding_box":
        return Shape(label, [[box(*ring.min(axis=0), *ring.max(axis=0))]], layer=layer)
    if not len(ring) and element.find("bndbox") is not None:
        raise DatasetError(
            f"{source} has the box of a detector (`bndbox`) where the corners of a polygon were expected: give "
            "annotations that outline the objects."
        )
    return None


def _ring(element: Element, source: str) -> Ring:
    elements = element.iterfind("polygon/pt")
    points = [checked(Point, {"x": text_of(point, "x"), "y": text_of(point, "y")}, source) for point in elements]
    return np.array([(point.x, point.y) for point in points], np.float64).reshape(-1, 2)
