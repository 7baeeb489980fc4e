"""CamVid: street scenes from a car in Cambridge, in the 11 classes of the SegNet papers or in its own 32 colours.

Source: Brostow, Fauqueur and Cipolla 2009; the 480x360 selection of 367, 101 and 233 pictures of Badrinarayanan et
al. 2017 (arXiv:1511.00561).
"""

import os
from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.opening import open_tree
from atrous.data.pairs import pair_by_stem
from atrous.data.parts import find_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.sources.camvid_colours import CAMVID_LABELS, TABLE, original_split
from atrous.errors import DatasetError, DatasetNotFoundError

VOID = 11  # in the mask files; 255 in memory, as everywhere

SPLITS = ("train", "val", "test")


class CamVidConfig(Config):
    """CamVid in one of three layouts.

    `images/train` with `masks/train`; `train` with `trainannot`, as in the SegNet tutorial; or as its makers hand it
    out: `701_StillsRaw_full`, `LabeledApproved_full` and `label_colors.txt`, folders or zips.
    """

    kind: Literal["camvid"] = "camvid"
    root: Path
    """The folder that holds these folders, or the zips that its makers hand out."""
    classes: Literal[11, 32] = 11
    """32: the classes of the original colours, of which Void is ignored, so that 31 are left."""


def camvid(config: CamVidConfig, split: str) -> SegmentationDataset:
    """Open one split of CamVid.

    Raises:
        DatasetNotFoundError: If the folders are missing.
        DatasetError: If there is no such split, it is empty, or a file has no partner.
    """
    if split not in SPLITS:
        raise DatasetError(f"CamVid has no split `{split}`: {nearest(split, SPLITS)}.")
    if found := _selection(config.root, split):
        images, masks = found
        if config.classes == 32:
            raise DatasetError(f"The masks in {masks.place} have 11 classes; the 32 are in LabeledApproved_full.")
        values = {VOID: CAMVID_LABELS.ignore_index}
        return PairedFiles("CamVid", split, CAMVID_LABELS, pair_by_stem(images, masks), values)
    if find_part(config.root, TABLE):
        return original_split(config.root, split, config.classes)
    raise DatasetNotFoundError(
        f"No CamVid with a split {split} in {config.root}: it has neither images/{split} with masks/{split} nor "
        f"{split} with {split}annot nor {TABLE}. Give the folder that contains them, or run "
        f"`atrous data download camvid {config.root}`."
    )


def camvid_splits(config: CamVidConfig) -> tuple[str, ...]:
    """The splits that are there."""
    return tuple(split for split in SPLITS if _selection(config.root, split)) or SPLITS


def _selection(root: Path, split: str) -> tuple[FileTree, FileTree] | None:
    """The folders of a split in the selection of the SegNet papers; in an archive wherever they lie."""
    tree = open_tree(root)
    for images, masks in ((f"images/{split}", f"masks/{split}"), (split, f"{split}annot")):
        around = tree if os.path.isdir(root) else tree.folder_with(masks)
        if around and around.has_folder(images) and around.has_folder(masks):
            return around.below(images), around.below(masks)
    return None
