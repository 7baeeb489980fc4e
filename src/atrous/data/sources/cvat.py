"""CVAT for images 1.1: one XML with the shapes of all pictures, as a task or a project exports it.

Source: docs.cvat.ai, "XML annotation format", version 1.1.
"""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from atrous.config import parse
from atrous.data.annotations import AnnotatedImages, Annotation
from atrous.data.classes import Classes, ListedClass, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import find_picture
from atrous.data.records import Record, checked, parse_xml, text_of
from atrous.data.samples import SegmentationDataset
from atrous.data.sources.cvat_index import CvatFile, read_cvat
from atrous.data.sources.cvat_shapes import SHAPES, read_shape
from atrous.data.split_names import EVERYTHING, find_split, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.picture_paths import unique_stems

Size = Annotated[int, Field(gt=0)]


class CvatConfig(ShapeChoices):
    """An export "CVAT for images 1.1", of a task or a project.

    The classes are its labels in their order, with their colours. Shapes are drawn in the order of their layer
    (`z_order`), then of the file.
    """

    kind: Literal["cvat"] = "cvat"
    root: Path
    """The archive, or the folder with `annotations.xml` and `images`; the subsets of a project are its splits, else
    there is one split, `all`."""


class CvatImage(Record):
    """The attributes of an element `image`."""

    name: str
    width: Size
    height: Size
    subset: str = ""


@dataclass(frozen=True)
class CvatAnnotations:
    """The pictures of a split: which file tells of them, and where in it."""

    tree: FileTree
    files: Sequence[CvatFile]
    places: NDArray[np.int64]
    """int64 [N, 2]: the file's and the picture's number."""
    paths: Names
    names: Names
    classes: Classes

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Annotation:
        source = self.source_of(index)
        element = parse_xml(self.content_of(index), source)
        image = checked(CvatImage, element.attrib, source)
        with_area = [child for child in element if child.tag in SHAPES]
        passed_over = sum(child.tag not in ("attribute", *SHAPES) for child in element)
        shapes = [read_shape(child, (image.height, image.width), self.classes, source) for child in with_area]
        picture = self.tree.file(self.paths[index])
        return Annotation(self.names[index], picture, shapes, (image.height, image.width), passed_over)

    def source_of(self, index: int) -> str:
        """The file, and which picture in it."""
        file, image = self.places[index]
        return f"{self.files[file].content.source} (image {self.files[file].names[image]})"

    def content_of(self, index: int) -> bytes:
        """The element of the picture."""
        file, image = self.places[index]
        content: bytes = self.files[file].element(int(image))
        return content


def cvat(config: CvatConfig, split: str) -> SegmentationDataset:
    """Open one split of an export of CVAT.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If it is damaged, has no such split, or a picture is missing.
        ConfigError: If a choice names what is no class.
    """
    tree, files = _open(config.root)
    chosen = find_split(split, {*_subsets(files), EVERYTHING}, tree.place)
    classes = classes_of(_listed(files), config, files[0].content.source)
    places = [
        (number, image)
        for number, file in enumerate(files)
        for image in range(len(file.names))
        if chosen in (EVERYTHING, file.subset(image))
    ]
    paths = Names(_picture(tree, files[number], image) for number, image in places)
    _require_different(paths, tree.place)
    names = Names(unique_stems([Path(path) for path in paths]))
    where = np.array(places, np.int64).reshape(-1, 2)
    title = text_of(files[0].meta, "task/name") or text_of(files[0].meta, "project/name") or "CVAT"
    return AnnotatedImages(title, split, classes, CvatAnnotations(tree, files, where, paths, names, classes))


def cvat_splits(config: CvatConfig) -> tuple[str, ...]:
    """The splits that there are, by our names.

    Raises:
        DatasetNotFoundError: If there is no export.
    """
    return tuple(sorted(map(usual_name, _subsets(_open(config.root)[1])))) or (EVERYTHING,)


def _open(root: Path) -> tuple[FileTree, list[CvatFile]]:
    """The files of the export: one, or one of each task."""
    tree = open_tree(root.parent) if root.suffix == ".xml" and root.is_file() else open_tree(root)
    found = sorted(name for name in tree.walk() if name.endswith(".xml"))
    named = [name for name in found if posixpath.basename(name) == "annotations.xml"]
    chosen = [root.name] if root.suffix == ".xml" and root.is_file() else named or found[:1]
    if not chosen:
        raise DatasetNotFoundError(
            f"No export of CVAT in {root}: it has no annotations.xml. Export the task as `CVAT for images 1.1` with "
            "its images, and give the archive."
        )
    return tree, [read_cvat(tree, name) for name in chosen]


def _subsets(files: Sequence[CvatFile]) -> set[str]:
    return {subset for file in files for subset in {file.subset(image) for image in range(len(file.names))} if subset}


def _listed(files: Sequence[CvatFile]) -> list[ListedClass]:
    """The labels in their order, which all files must agree on."""
    lists = [_labels_of(file) for file in files]
    for file, listed in zip(files, lists, strict=True):
        if listed != lists[0]:
            raise DatasetError(
                f"{file.content.source} has other labels than {files[0].content.source}: give each task by itself."
            )
    return lists[0]


def _labels_of(file: CvatFile) -> list[ListedClass]:
    return [
        parse(
            ListedClass, {"name": text_of(label, "name"), "color": _color(text_of(label, "color"))}, file.content.source
        )
        for label in file.meta.iter("label")
        if not text_of(label, "parent")  # a part of a skeleton
    ]


def _color(text: str) -> tuple[int, ...] | None:
    """RGB of `#rrggbb`; none where it is not given."""
    digits = text.removeprefix("#")
    try:
        return tuple(bytes.fromhex(digits)) if len(digits) == 6 else None
    except ValueError:
        return None


def _picture(tree: FileTree, file: CvatFile, image: int) -> str:
    around, subset = posixpath.dirname(file.content.name), file.subset(image)
    folders = (f"images/{subset}", "images", "", subset)
    first = [posixpath.normpath(posixpath.join(around, folder)) for folder in folders]
    source = f"{file.content.source} (image {file.names[image]})"
    return find_picture(tree, file.names[image], ["" if folder == "." else folder for folder in first], (), source)


def _require_different(paths: Names, place: str) -> None:
    for one, other in pairwise(sorted(paths)):
        if one == other:
            raise DatasetError(f"{place} annotates the picture {one} twice: take one of the annotations out.")
