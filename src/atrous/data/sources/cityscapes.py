"""Cityscapes: street scenes from 50 cities, in the 19 classes of its benchmark.

Source: Cordts et al. 2016 (arXiv:1604.01685) and the table of labels in cityscapesScripts: of the ids 0 to 33 in the
files `labelIds`, 19 are trained and scored; `labelTrainIds` holds their numbers 0 to 18 and 255.
"""

from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.pairs import pair_by_stem
from atrous.data.parts import find_part, not_found
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.known_classes import known_label_space

CITYSCAPES_LABELS = known_label_space("cityscapes")

LAST_ID = 33

TRAINED_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The ids of the 19 classes, in their order."""

SPLITS = {"fine": ("train", "val"), "coarse": ("train", "train_extra", "val")}


class CityscapesConfig(Config):
    """Cityscapes in its own layout: `leftImg8bit/<split>/<city>` beside `gtFine` or `gtCoarse`."""

    kind: Literal["cityscapes"] = "cityscapes"
    root: Path
    """The folder that contains these folders, or the zips that the makers hand out."""
    annotations: Literal["fine", "coarse"] = "fine"
    masks: Literal["labelIds", "labelTrainIds"] = "labelIds"
    """Which files are read; `labelTrainIds` must first be made with cityscapesScripts."""


def cityscapes(config: CityscapesConfig, split: str) -> SegmentationDataset:
    """Open one split of Cityscapes: train or val, and train_extra with the coarse annotations.

    Raises:
        DatasetNotFoundError: If there is no Cityscapes.
        DatasetError: If there is no such split, or a file has no partner.
    """
    choices = SPLITS[config.annotations]
    if split == "test":
        raise DatasetError("The truth of Cityscapes' test is not public: its server scores predictions; choose val.")
    if split not in choices:
        raise DatasetError(
            f"Cityscapes has no split `{split}` with {config.annotations} annotations: {nearest(split, choices)}."
        )
    folder = "gtFine" if config.annotations == "fine" else "gtCoarse"
    pairs = pair_by_stem(
        _part(config.root, f"leftImg8bit/{split}"),
        _part(config.root, f"{folder}/{split}"),
        image_ending="_leftImg8bit",
        mask_ending=f"_{folder}_{config.masks}",
    )
    values = _meanings() if config.masks == "labelIds" else {}
    return PairedFiles(f"Cityscapes {config.annotations}", split, CITYSCAPES_LABELS, pairs, values)


def cityscapes_splits(config: CityscapesConfig) -> tuple[str, ...]:
    """The splits that together are the data set and are there."""
    return tuple(split for split in SPLITS[config.annotations] if find_part(config.root, f"leftImg8bit/{split}"))


def _meanings() -> dict[int, int]:
    """The class index of each id; those that are not trained are ignored."""
    ignored = dict.fromkeys(range(LAST_ID + 1), CITYSCAPES_LABELS.ignore_index)
    return ignored | {value: index for index, value in enumerate(TRAINED_IDS)}


def _part(root: Path, folder: str) -> FileTree:
    tree = find_part(root, folder)
    if tree is None:
        way_out = "It needs a login: `atrous data download cityscapes` says where"
        raise DatasetNotFoundError(not_found(root, "Cityscapes", way_out, [folder]))
    return tree.below(folder)
