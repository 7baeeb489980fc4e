"""Clothing Co-Parsing: street photos with 58 kinds of garments and their like, in MATLAB's files.

Source: Yang, Luo and Lin 2014, and the README of its makers: `groundtruth` holds indices into `label_list`, whose first
entry `null` is the background. Of 2,098 photos 1,004 have such a mask. There is no official split.
"""

import posixpath
from pathlib import Path
from typing import Literal

from atrous.config import Config
from atrous.data.file_tree import FileTree
from atrous.data.listed import Place, listed_pairs, read_names
from atrous.data.mat_files import mat_mask, read_mat, strings_of
from atrous.data.parts import require_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.seeded_split import DRAWN_SPLITS, draw_split, stated
from atrous.data.split_names import find_split
from atrous.errors import DatasetError
from atrous.images import ReadableFile
from atrous.labels import LabelSpace, Mask

TITLE = "Clothing Co-Parsing"

MASKS = "annotations/pixel-level"

WAY_OUT = "It is at https://github.com/bearpaw/clothing-co-parsing: clone that"


class ClothingCoParsingConfig(Config):
    """Clothing Co-Parsing in its own layout: `photos`, `annotations/pixel-level`, `label_list.mat`.

    Beside these there may be lists of names: train.txt, val.txt, test.txt. Without any, train and val are drawn.
    """

    kind: Literal["clothing-co-parsing"] = "clothing-co-parsing"
    root: Path
    """The folder or archive that contains these."""
    seed: int = 0
    """Draws train (85 %) and val (15 %) where there are no lists."""


def clothing_co_parsing(config: ClothingCoParsingConfig, split: str) -> SegmentationDataset:
    """Open one split: by a list of names, or drawn.

    Raises:
        DatasetNotFoundError: If it is not there.
        DatasetError: If there is no such split, or a file is missing.
    """
    tree = require_part(config.root, TITLE, WAY_OUT, MASKS)
    lists = _lists(tree)
    if lists:
        name = find_split(split, lists, tree.place)
        names, title = read_names(tree, f"{name}.txt"), TITLE
    else:
        annotated = _annotated(tree)
        names = [annotated[place] for place in draw_split(annotated, split, config.seed, tree.place)]
        title = stated(TITLE, config.seed)
    images, masks = Place(tree, "photos/{}.jpg"), Place(tree, MASKS + "/{}.mat")
    pairs = listed_pairs(names, images, masks, tree.place).pairs
    return PairedFiles(title, split, _labels(tree), pairs, read=read_garments)


def clothing_co_parsing_splits(config: ClothingCoParsingConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    return _lists(require_part(config.root, TITLE, WAY_OUT, MASKS)) or DRAWN_SPLITS


def read_garments(file: ReadableFile) -> Mask:
    """Read a mask.

    Returns:
        uint8 [H, W]: indices into the list of names.

    Raises:
        MaskError, DatasetError: If the file cannot be read or holds none.
    """
    return mat_mask(read_mat(file, "groundtruth"), file)


def _lists(tree: FileTree) -> tuple[str, ...]:
    return tuple(name for name in ("train", "val", "test") if tree.has_file(f"{name}.txt"))


def _annotated(tree: FileTree) -> list[str]:
    return sorted(posixpath.splitext(name)[0] for name in tree.below(MASKS).walk() if name.endswith(".mat"))


def _labels(tree: FileTree) -> LabelSpace:
    file = tree.file("label_list.mat")
    names = strings_of(read_mat(file, "label_list"), file)
    if len(set(names)) < len(names):
        raise DatasetError(f"{file} lists a name twice: get a whole copy of it.")
    return LabelSpace.from_names(names)
