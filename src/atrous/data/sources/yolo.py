"""YOLO's segmentation: `data.yaml` with the names, and beside each folder `images` one of text files, `labels`.

Source: docs.ultralytics.com, "Instance segmentation datasets overview". Each line is a class index and the corners of a
polygon, as shares of width and height.
"""

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from atrous.data.annotations import AnnotatedImages
from atrous.data.classes import ListedClass, OverlapRule, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import is_picture
from atrous.data.records import Record, checked
from atrous.data.samples import SegmentationDataset
from atrous.data.sources.yolo_files import YoloFiles, label_file
from atrous.data.split_names import EVERYTHING, find_split
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.picture_paths import unique_stems

LONGEST_DESCRIPTION = 2**22  # characters
OTHER_TEXTS = ("classes.txt",)  # that labelling programs put beside the labels


class YoloConfig(ShapeChoices):
    """A data set of YOLO's segmentation.

    The classes are `names` of `data.yaml` in their order, after the background. The objects of a picture have no order:
    the smaller one shows.
    """

    kind: Literal["yolo"] = "yolo"
    root: Path
    """The folder or archive with `data.yaml`, or that file itself."""
    overlap: OverlapRule = "smaller_on_top"
    """Which object shows where several overlap."""


class YoloDescription(Record):
    """`data.yaml`."""

    names: dict[Annotated[int, Field(ge=0, le=65535)], str] | tuple[str, ...]
    path: str = ""
    train: str | tuple[str, ...] | None = None
    val: str | tuple[str, ...] | None = None
    test: str | tuple[str, ...] | None = None


def yolo(config: YoloConfig, split: str) -> SegmentationDataset:
    """Open one split of a data set of YOLO.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If it is damaged, has no such split, or a label file has no picture.
        ConfigError: If a choice names what is no class.
    """
    tree, file, description = _open(config.root)
    splits = _split_entries(description)
    found = find_split(split, {*splits, EVERYTHING}, str(tree.file(file)))
    chosen = list(splits) if found == EVERYTHING else [found]
    pictures = sorted({name for entry in chosen for name in _pictures(tree, description, splits[entry])})
    if not pictures:
        raise DatasetNotFoundError(
            f"{tree.file(file)} names {', '.join(splits[chosen[0]])} for {split}, where no pictures are: put them "
            "there, or correct the path."
        )
    _require_no_lonely_labels(tree, pictures)
    if not any(tree.has_file(label_file(picture)) for picture in pictures):
        raise DatasetError(
            f"{tree.file(file)} names {len(pictures)} picture{'s' * (len(pictures) > 1)} for {split}, none of which "
            f"has a text file, such as {tree.file(label_file(pictures[0]))}: put the folder `labels` beside `images`."
        )
    labels = _numbered(description)
    classes = classes_of([ListedClass(name=name) for name in labels.values()], config, str(tree.file(file)))
    names = Names(unique_stems([Path(picture) for picture in pictures]))
    return AnnotatedImages(config.root.stem, split, classes, YoloFiles(tree, Names(pictures), names, labels, classes))


def yolo_splits(config: YoloConfig) -> tuple[str, ...]:
    """The splits that `data.yaml` names.

    Raises:
        DatasetNotFoundError: If there is none.
    """
    return tuple(_split_entries(_open(config.root)[2]))


def _open(root: Path) -> tuple[FileTree, str, YoloDescription]:
    """The files, the path of the description among them, and what it says."""
    alone = root.suffix in (".yaml", ".yml") and root.is_file()
    tree = open_tree(root.parent if alone else root)
    found = (
        [root.name] if alone else [name for name in ("data.yaml", "data.yml", "dataset.yaml") if tree.has_file(name)]
    )
    below = None if found else tree.folder_with("data.yaml")
    if below is not None:
        tree, found = below, ["data.yaml"]
    if not found:
        raise DatasetNotFoundError(
            f"No data set of YOLO in {root}: it has no data.yaml. Give the folder or archive that contains it, or the "
            "file itself."
        )
    return tree, found[0], _read_description(tree, found[0])


def _read_description(tree: FileTree, file: str) -> YoloDescription:
    source, text = str(tree.file(file)), tree.read_text(file)
    try:
        content = yaml.safe_load(text) if len(text) < LONGEST_DESCRIPTION else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError(f"{source} is no valid YAML ({' '.join(str(error).split())}): correct it.") from None
    return checked(YoloDescription, content, source)


def _split_entries(description: YoloDescription) -> dict[str, tuple[str, ...]]:
    """What the description names for each split: folders of pictures, or lists of them."""
    entries = {"train": description.train, "val": description.val, "test": description.test}
    return {split: (entry,) if isinstance(entry, str) else entry for split, entry in entries.items() if entry}


def _numbered(description: YoloDescription) -> dict[int, str]:
    """The name of each number."""
    names = description.names
    return dict(sorted(names.items())) if isinstance(names, dict) else dict(enumerate(names))


def _pictures(tree: FileTree, description: YoloDescription, entries: Sequence[str]) -> Iterator[str]:
    """The paths of the pictures that the entries of a split name."""
    for entry in entries:
        for place in _places(description.path, entry):
            if tree.has_folder(place):
                folder = "" if place == "." else place
                yield from (name for name in tree.walk(folder) if is_picture(name))
                break
            if place.endswith(".txt") and tree.has_file(place):
                lines = [line.strip() for line in tree.read_text(place).splitlines() if line.strip()]
                yield from (_listed(tree, description.path, line, str(tree.file(place))) for line in lines)
                break


def _listed(tree: FileTree, path: str, line: str, source: str) -> str:
    for place in _places(path, line):
        if tree.has_file(place):
            return place
    raise DatasetError(f"{source} lists the picture {line}, which is not in {tree.place}: put it there.")


def _places(path: str, entry: str) -> Iterator[str]:
    """Where an entry may be: below `path`, or beside `data.yaml`, whatever was above it on another machine."""
    for whole in (posixpath.join(path, entry.replace("\\", "/")), entry.replace("\\", "/")):
        plain = posixpath.normpath(whole)
        while plain.startswith("../"):
            plain = plain[3:]
        if not plain.startswith("/") and plain != ".." and "\0" not in plain:
            yield plain


def _require_no_lonely_labels(tree: FileTree, pictures: Sequence[str]) -> None:
    """A picture without a label file shows no objects; a label file without a picture is a mistake."""
    folders = sorted({posixpath.dirname(picture) for picture in pictures})
    around = (name for folder in folders for name in tree.walk(folder) if is_picture(name))  # a list may leave some out
    expected = {label_file(picture) for picture in around}
    for folder in sorted({posixpath.dirname(file) for file in expected}):
        for name in tree.walk(folder):
            lonely = name.endswith(".txt") and posixpath.dirname(name) == folder and name not in expected
            if lonely and posixpath.basename(name) not in OTHER_TEXTS:
                raise DatasetError(f"{tree.file(name)} has no picture: add it, or take the text file out.")
