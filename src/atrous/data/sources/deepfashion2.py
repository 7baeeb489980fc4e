"""DeepFashion2: clothes in photos of shops and customers, in 13 categories.

Source: Ge et al. 2019, arXiv:1901.07973; the layout is that of its archives, `train/image` with `train/annos`, and
`validation` likewise. Each picture has a JSON of its name with `item1`, `item2`, ..., each with its polygons.
"""

import posixpath
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from atrous.data.annotation_files import AnnotationFiles
from atrous.data.annotations import AnnotatedImages, Annotation, Shape
from atrous.data.classes import Classes, ListedClass, OverlapRule, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import find_picture
from atrous.data.records import Record, checked, read_json
from atrous.data.samples import SegmentationDataset
from atrous.data.split_names import EVERYTHING, find_split, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.picture_paths import unique_stems

CATEGORIES = (
    "short sleeve top", "long sleeve top", "short sleeve outwear", "long sleeve outwear", "vest", "sling", "shorts",
    "trousers", "skirt", "short sleeve dress", "long sleeve dress", "vest dress", "sling dress",
)  # fmt: skip
"""The first has the number 1."""

ITEM = re.compile(r"item(\d+)")


class DeepFashion2Config(ShapeChoices):
    """DeepFashion2.

    The classes are the background and the 13 categories in the order of their numbers. The items of a picture have no
    order: the smaller one shows, as a top does on the coat around it.
    """

    kind: Literal["deepfashion2"] = "deepfashion2"
    root: Path
    """The folder or archive with `train` or `validation`, or with `image` and `annos`, whose split is `all`."""
    overlap: OverlapRule = "smaller_on_top"
    """Which item shows where several overlap."""


class DeepFashion2Item(Record):
    """One piece of clothing."""

    category_id: Annotated[int, Field(ge=1, le=len(CATEGORIES))]
    segmentation: tuple[tuple[float, ...], ...]


def deepfashion2(config: DeepFashion2Config, split: str) -> SegmentationDataset:
    """Open one split of DeepFashion2.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If there is no such split.
        ConfigError: If a choice names what is no class.
    """
    tree, folders = _open(config.root)
    found = find_split(split, {*folders, EVERYTHING}, tree.place)
    chosen = list(folders) if found == EVERYTHING else [found]
    classes = classes_of([ListedClass(name=name) for name in CATEGORIES], config, "DeepFashion2")
    files = Names(file for folder in chosen for file in folders[folder])
    names = Names(unique_stems([Path(file) for file in files]))
    read = partial(_read_annotation, classes=classes)
    return AnnotatedImages("DeepFashion2", split, classes, AnnotationFiles(tree, files, names, read))


def deepfashion2_splits(config: DeepFashion2Config) -> tuple[str, ...]:
    """The splits that there are, by our names.

    Raises:
        DatasetNotFoundError: If there is none.
    """
    return tuple(sorted(map(usual_name, _open(config.root)[1])))


def _open(root: Path) -> tuple[FileTree, dict[str, Names]]:
    """The files, and the annotations in each split's folder `annos`."""
    tree = open_tree(root)
    folders: dict[str, list[str]] = {}
    for name in sorted(tree.walk()):
        folder = posixpath.dirname(name)
        if name.endswith(".json") and posixpath.basename(folder) == "annos":
            folders.setdefault(posixpath.basename(posixpath.dirname(folder)) or EVERYTHING, []).append(name)
    if not folders:
        raise DatasetNotFoundError(
            f"No DeepFashion2 in {root}: it has no folder `annos` with a JSON per picture. Ask for its archives at "
            "github.com/switchablenorms/DeepFashion2, and give the folder that contains `train` or `validation`."
        )
    return tree, {split: Names(files) for split, files in folders.items()}


def _read_annotation(tree: FileTree, file: str, name: str, *, classes: Classes) -> Annotation:
    source = str(tree.file(file))
    content = read_json(tree, file)
    if not isinstance(content, dict):
        raise DatasetError(f"{source} is no annotation of DeepFashion2: a table with `item1` was expected.")
    numbered = sorted((int(match[1]), key) for key in content if (match := ITEM.fullmatch(key)))
    items = [checked(DeepFashion2Item, content[key], f"{source} ({key})") for _, key in numbered]
    folder = posixpath.join(posixpath.dirname(posixpath.dirname(file)), "image")
    stem = posixpath.splitext(posixpath.basename(file))[0]
    path = find_picture(tree, f"{stem}.jpg", (folder,), (), source)
    return Annotation(name, tree.file(path), [_shape(item, classes, source) for item in items])


def _shape(item: DeepFashion2Item, classes: Classes, source: str) -> Shape:
    if any(len(corners) % 2 for corners in item.segmentation):
        raise DatasetError(f"{source} has a polygon with an odd number of coordinates: get a whole copy.")
    rings = [np.array(corners, np.float64).reshape(-1, 2) for corners in item.segmentation]
    return Shape(classes.meaning(CATEGORIES[item.category_id - 1], source), [[ring] for ring in rings])
