"""LabelMe: one file per picture, the XML that CVAT exports as "LabelMe ZIP 3.0" or the JSON of the labelme program.

Each annotation names its picture, which lies beside it or in a folder of its own, such as `Images`.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from atrous.data.annotation_files import AnnotationFiles
from atrous.data.annotations import AnnotatedImages, Annotation
from atrous.data.classes import Classes, ListedClass, OverlapRule, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.data.opening import open_unwrapped
from atrous.data.pictures import picture_folders
from atrous.data.samples import SegmentationDataset
from atrous.data.sources import labelme_json, labelme_xml
from atrous.data.split_names import EVERYTHING, SPLITS, find_split, usual_name
from atrous.errors import DatasetNotFoundError
from atrous.picture_paths import unique_stems

# The two labels that the labelme program's own `labels.txt` starts with.
BACKGROUND, IGNORE = "_background_", "__ignore__"


class LabelMeConfig(ShapeChoices):
    """Annotations of LabelMe, as XML or JSON.

    People draw sky and ground last, and over everything: so by default the smaller shape shows, whatever the order.
    """

    kind: Literal["labelme"] = "labelme"
    overlap: OverlapRule = "smaller_on_top"
    """Which shape shows where several overlap; in drawing order parts are above their wholes, then the later."""
    root: Path
    """The folder or archive; folders named train, val or test in it are its splits, else there is one split, `all`."""
    classes: tuple[str, ...] = ()
    """The labels in the order of the classes. By default the lines of `labels.txt`, or else all labels in the files, in
    alphabetical order, for which every file must be read."""


def labelme(config: LabelMeConfig, split: str) -> SegmentationDataset:
    """Open one split of annotations of LabelMe.

    Raises:
        DatasetNotFoundError: If there are none.
        DatasetError: If there is no such split.
        ConfigError: If a choice names what is no class.
    """
    tree = open_unwrapped(config.root)
    files = _annotation_files(tree)
    chosen = find_split(split, {*_split_folders(files), EVERYTHING}, tree.place)
    mine = files if chosen == EVERYTHING else [file for file in files if file.startswith(f"{chosen}/")]
    classes = _classes(config, tree, files)
    folders = picture_folders(tree, "" if chosen == EVERYTHING else chosen)
    names = Names(unique_stems([Path(file) for file in mine]))
    read = partial(_read_annotation, folders=folders, classes=classes)
    return AnnotatedImages(config.root.stem, split, classes, AnnotationFiles(tree, Names(mine), names, read))


def labelme_splits(config: LabelMeConfig) -> tuple[str, ...]:
    """The splits that there are, by our names.

    Raises:
        DatasetNotFoundError: If there are no annotations.
    """
    folders = _split_folders(_annotation_files(open_unwrapped(config.root)))
    return tuple(sorted(map(usual_name, folders))) or (EVERYTHING,)


def _read_annotation(tree: FileTree, file: str, name: str, *, folders: Sequence[str], classes: Classes) -> Annotation:
    reader = labelme_json.read_annotation if _is_json(file) else labelme_xml.read_annotation
    return reader(tree, file, folders, classes, name)


def _annotation_files(tree: FileTree) -> list[str]:
    files = sorted(name for name in tree.walk() if name.endswith((".xml", ".json")))
    if not files:
        raise DatasetNotFoundError(
            f"No annotations of LabelMe in {tree.place}: it has neither .xml nor .json files. Give the folder or the "
            "archive that contains them."
        )
    return files


def _split_folders(files: Sequence[str]) -> set[str]:
    tops = {file.partition("/")[0] for file in files if "/" in file}
    return {top for top in tops if usual_name(top) in SPLITS}


def _classes(config: LabelMeConfig, tree: FileTree, files: Sequence[str]) -> Classes:
    listed, source = list(config.classes), "`classes`"
    if not listed and tree.has_file("labels.txt"):
        listed = [line.strip() for line in tree.read_text("labels.txt").splitlines() if line.strip()]
        source = str(tree.file("labels.txt"))
    if not listed:
        listed, source = sorted(set().union(*(_labels_in(tree, file) for file in files))), tree.place
    choices: ShapeChoices = config
    if BACKGROUND in listed and config.background == "background":
        choices = config.model_copy(update={"background": BACKGROUND})
    if IGNORE in listed:
        choices = choices.model_copy(update={"ignore": (*choices.ignore, IGNORE)})
    return classes_of([ListedClass(name=name) for name in listed], choices, source)


def _labels_in(tree: FileTree, file: str) -> set[str]:
    return labelme_json.labels_in(tree, file) if _is_json(file) else labelme_xml.labels_in(tree, file)


def _is_json(file: str) -> bool:
    return file.endswith(".json")
