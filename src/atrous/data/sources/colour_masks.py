"""Pictures whose masks show each class in a colour, with a table of these colours beside them."""

import posixpath
from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.color_tables import ColorMasks, find_color_table, read_color_table
from atrous.data.file_tree import FileTree
from atrous.data.layouts import find_layout
from atrous.data.listed import read_names
from atrous.data.opening import open_unwrapped
from atrous.data.pairs import Pairs
from atrous.data.pictures import is_picture
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.seeded_split import stated
from atrous.data.split_names import find_split
from atrous.errors import ConfigError, DatasetError
from atrous.labels import LabelSpace

CVAT_LISTS = "ImageSets/Segmentation"


class ColourMasksConfig(Config):
    """Colour-coded masks, for instance `images`, `masks` and `classes.json`, or CVAT's export of segmentation masks."""

    kind: Literal["colour-masks"] = "colour-masks"
    root: Path
    """The folder or archive with pictures, masks and table."""
    table: str | None = None
    """The path below `root` of the table of colours; None looks for one of the usual names."""
    ignore: tuple[str, ...] = ()
    """Names in the table whose pixels are neither trained nor scored, such as void."""
    images: str | None = None
    """The name of the folder of the pictures, where it is not one of the usual."""
    masks: str | None = None
    """The name of the folder of the masks, where it is not one of the usual."""
    seed: int = 0
    """Draws train (85 %) and val (15 %) where there are no splits."""


def colour_masks(config: ColourMasksConfig, split: str) -> SegmentationDataset:
    """Open one split.

    Raises:
        DatasetNotFoundError: If nothing is there.
        DatasetError: If there is no such split, no table, or a file has no partner.
        ConfigError: If `ignore` names what is not in the table.
    """
    tree = open_unwrapped(config.root)
    labels, masks = _classes(config, tree)
    title = posixpath.basename(tree.place.replace("\\", "/").rstrip("/"))
    if lists := _lists(tree):
        name = find_split(split, lists, tree.place)
        pairs = _listed(tree, name)
    else:
        layout = find_layout(tree, config.images, config.masks)
        pairs = layout.pairs(split, config.seed)
        title = stated(title, config.seed) if layout.is_drawn else title
    return PairedFiles(title, split, labels, pairs, read=masks, reading=repr(sorted(masks.meanings.items())))


def colour_masks_splits(config: ColourMasksConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    tree = open_unwrapped(config.root)
    return _lists(tree) or find_layout(tree, config.images, config.masks).splits


def _classes(config: ColourMasksConfig, tree: FileTree) -> tuple[LabelSpace, ColorMasks]:
    path = config.table or find_color_table(tree)
    table = read_color_table(tree, path)
    for name in config.ignore:
        if name not in table:
            raise ConfigError(f"`ignore` names `{name}`, which is not in {tree.file(path)}: {nearest(name, table)}.")
    names = [name for name in table if name not in config.ignore]
    if not names:
        raise DatasetError(f"{tree.file(path)} lists no class that is not ignored: add one.")
    labels = LabelSpace(names=tuple(names), colors=tuple(table[name] for name in names))
    ignored = {table[name]: labels.ignore_index for name in config.ignore}
    return labels, ColorMasks({table[name]: place for place, name in enumerate(names)} | ignored, str(tree.file(path)))


def _lists(tree: FileTree) -> tuple[str, ...]:
    """The lists of names in CVAT's export, which are its splits."""
    names = tree.below(CVAT_LISTS).walk() if tree.has_folder("SegmentationClass") else ()
    return tuple(sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt")))


def _listed(tree: FileTree, name: str) -> Pairs:
    """The pairs that a list of CVAT's names; its pictures may have any suffix."""
    images, masks = tree.below("JPEGImages"), tree.below("SegmentationClass")
    paths = {posixpath.splitext(path)[0]: path for path in images.walk() if is_picture(path)}
    names = read_names(tree, f"{CVAT_LISTS}/{name}.txt")
    for one in names:
        if one not in paths or not masks.has_file(f"{one}.png"):
            raise DatasetError(
                f"{tree.place}/{CVAT_LISTS}/{name}.txt lists {one}, but {images.place} and {masks.place} do not both "
                "have it: export again together with the pictures."
            )
    return Pairs(images, [paths[one] for one in names], masks, [f"{one}.png" for one in names])
