"""COCO's instances as classes per pixel: one JSON per split, of polygons and run lengths.

Source: cocodataset.org, "Data format"; Lin et al. 2014, arXiv:1405.0312. What CVAT, Roboflow and Label Studio export as
COCO is read, too.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from atrous.data.annotations import AnnotatedImages, Annotation
from atrous.data.classes import Classes, ListedClass, OverlapRule, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.json_sections import NO_NUMBER, Section, json_sections
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import find_picture
from atrous.data.records import Record, checked
from atrous.data.samples import SegmentationDataset
from atrous.data.sources.coco_shapes import CocoObject, read_shape
from atrous.data.split_names import EVERYTHING, find_split, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.labels import Color
from atrous.picture_paths import unique_stems

Size = Annotated[int, Field(gt=0, le=65535)]


class CocoConfig(ShapeChoices):
    """Instances in COCO's JSON.

    The classes are its categories in the order of their ids, which may have holes, after the background. Crowds are
    ignored where no single object covers them. Instances have no order: the smaller one shows.
    """

    kind: Literal["coco"] = "coco"
    root: Path
    """The folder or archive with `annotations/instances_<split>.json`, with `<split>/_annotations.coco.json`, or with
    one JSON only, whose split is `all`."""
    overlap: OverlapRule = "smaller_on_top"
    """Which instance shows where several overlap."""


class CocoCategory(Record):
    """An entry of `categories`."""

    id: int
    name: str
    color: Color | None = None


class CocoImage(Record):
    """An entry of `images`."""

    id: int
    file_name: str
    height: Size
    width: Size


@dataclass(frozen=True)
class CocoAnnotations:
    """The pictures of a split; which objects are whose is kept as numbers."""

    tree: FileTree
    images: Section
    objects: Section
    order: NDArray[np.int64]
    """The objects, sorted by their picture."""
    bounds: NDArray[np.int64]
    """int64 [N, 2]: where in `order` the objects of a picture start and end."""
    paths: Names
    names: Names
    labels: Mapping[int, str]
    """The name of each category."""
    classes: Classes

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Annotation:
        source = self.source_of(index)
        image = checked(CocoImage, self.images.read(index), source)
        size = (image.height, image.width)
        objects = [checked(CocoObject, self.objects.read(place), source) for place in self._objects(index)]
        read = [read_shape(thing, size, self.labels, self.classes, source) for thing in objects]
        shapes = [shape for shape in read if shape is not None]
        picture = self.tree.file(self.paths[index])
        return Annotation(self.names[index], picture, shapes, size, len(objects) - len(shapes))

    def source_of(self, index: int) -> str:
        """The file, and which picture in it."""
        return f"{self.images.content.source} (image {posixpath.basename(self.paths[index])})"

    def content_of(self, index: int) -> bytes:
        """The entries of the picture and of its objects."""
        return self.images.raw(index) + b"".join(self.objects.raw(place) for place in self._objects(index))

    def _objects(self, index: int) -> list[int]:
        start, end = self.bounds[index]
        return self.order[start:end].tolist()  # type: ignore[no-any-return]


def coco(config: CocoConfig, split: str) -> SegmentationDataset:
    """Open one split of instances in COCO's JSON.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If it is damaged, has no such split, or a picture is missing.
        ConfigError: If a choice names what is no class.
    """
    tree = open_tree(config.root)
    file = find_file(tree, split, "instances")
    sections = read_sections(tree, file, ("images", "annotations", "categories"))
    images, objects = sections["images"], sections["annotations"]
    source = images.content.source
    categories = read_categories(sections["categories"])
    labels = {category.id: category.name for category in categories}
    classes = classes_of([ListedClass(name=c.name, color=c.color) for c in categories], config, source)
    paths = picture_paths(tree, images, file, split)
    names = Names(unique_stems([Path(path) for path in paths]))
    order, bounds = _objects_by_image(images, objects)
    annotations = CocoAnnotations(tree, images, objects, order, bounds, paths, names, labels, classes)
    return AnnotatedImages(config.root.stem, split, classes, annotations)


def coco_splits(config: CocoConfig) -> tuple[str, ...]:
    """The splits that there are, by our names.

    Raises:
        DatasetNotFoundError: If there is no JSON.
    """
    return tuple(sorted({usual_name(name) for name in split_files(open_tree(config.root), "instances")}))


def split_files(tree: FileTree, what: str) -> dict[str, str]:
    """The JSON files and the splits that they are of.

    Args:
        tree: All files.
        what: What the names of the files start with in COCO's own layout: `instances` or `panoptic`.
    """
    files = sorted(name for name in tree.walk() if name.endswith(".json"))
    own = [name for name in files if posixpath.basename(name).startswith(f"{what}_")]
    if own:
        return {posixpath.basename(name)[len(what) + 1 : -5]: name for name in own}
    in_folders = [name for name in files if posixpath.basename(name) == "_annotations.coco.json"]
    if in_folders:
        return {posixpath.basename(posixpath.dirname(name)) or EVERYTHING: name for name in in_folders}
    return {EVERYTHING: files[0]} if len(files) == 1 else {}


def find_file(tree: FileTree, split: str, what: str) -> str:
    """The JSON file of a split.

    Raises:
        DatasetNotFoundError: If there is none of any split.
        DatasetError: If there is none of this one.
    """
    files = split_files(tree, what)
    if not files:
        raise DatasetNotFoundError(
            f"No {what} of COCO in {tree.place}: it has no annotations/{what}_{split}.json. Give the folder or archive "
            "that contains them."
        )
    return files[find_split(split, files, tree.place)]


def read_sections(tree: FileTree, file: str, needed: tuple[str, ...]) -> Mapping[str, Section]:
    """Find the lists of a JSON of COCO.

    Raises:
        DatasetError: If one is missing.
    """
    sections = json_sections(tree, file)
    for name in needed:
        if name not in sections:
            raise DatasetError(f"{tree.file(file)} has no list `{name}`: it is no JSON of COCO, or only a part of one.")
    return sections


def read_categories(section: Section) -> list[CocoCategory]:
    """The categories, sorted by their ids.

    Raises:
        DatasetError: If one is damaged, or two have the same id.
    """
    source = section.content.source
    categories = [checked(CocoCategory, section.read(index), source) for index in range(len(section))]
    categories.sort(key=lambda category: category.id)
    if len({category.id for category in categories}) < len(categories):
        raise DatasetError(f"{source} has two categories of the same id: correct `categories`.")
    return categories


def picture_paths(tree: FileTree, images: Section, file: str, split: str) -> Names:
    """The path of each picture.

    Raises:
        DatasetError: If one is missing, or an entry is damaged.
    """
    around, stem = posixpath.dirname(file), posixpath.splitext(posixpath.basename(file))[0]
    own = stem.partition("_")[2] or split
    above = posixpath.dirname(around)
    folders = [
        around,
        *(posixpath.join(above, folder) for folder in (own, f"images/{own}", "images", f"images/{split}")),
    ]
    source = images.content.source
    entries = (checked(CocoImage, images.read(index), source) for index in range(len(images)))
    beside = [*folders, posixpath.join(around, "images"), above]
    return Names(find_picture(tree, entry.file_name, beside, (), source) for entry in entries)


def _objects_by_image(images: Section, objects: Section) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The objects sorted by their picture, and where those of each picture start and end."""
    source = images.content.source
    ids = images.ids
    if (ids == NO_NUMBER).any() or len(np.unique(ids)) < len(ids):
        raise DatasetError(f"{source} has images without a number `id` of their own: export it again.")
    strangers = np.flatnonzero(~np.isin(objects.image_ids, ids))
    if len(strangers):
        shown = objects.image_ids[strangers[0]]
        of = "no number" if shown == NO_NUMBER else f"{shown}"
        raise DatasetError(
            f"{source} has {len(strangers)} annotation{'s' * (len(strangers) > 1)} of no image (`image_id` is {of}): "
            "export it again."
        )
    order = np.argsort(objects.image_ids, kind="stable")
    ordered = objects.image_ids[order]
    bounds = np.stack((np.searchsorted(ordered, ids, "left"), np.searchsorted(ordered, ids, "right")), axis=1)
    return order, bounds
