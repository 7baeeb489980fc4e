"""CamVid: street scenes from a car in Cambridge, in the 11 classes of the SegNet papers.

Source: Brostow, Fauqueur and Cipolla 2009; the 480x360 selection of 367, 101 and 233 pictures of Badrinarayanan et
al. 2017 (arXiv:1511.00561).
"""

import os
from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import Folder
from atrous.data.samples import PairedFiles, SegmentationDataset, pair_by_stem
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.labels import LabelSpace

VOID = 11  # in the mask files; 255 in memory, as everywhere

CAMVID_LABELS = LabelSpace(
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"
    ),
    colors=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip

SPLITS = ("train", "val", "test")


class CamVidConfig(Config):
    """CamVid as `images/train` with `masks/train`, or as `train` with `trainannot` (the SegNet tutorial's layout)."""

    kind: Literal["camvid"] = "camvid"
    root: Path
    """The folder that holds these folders."""


def camvid(config: CamVidConfig, split: str) -> SegmentationDataset:
    """Open one split of CamVid.

    Raises:
        DatasetNotFoundError: If the folders are missing.
        DatasetError: If there is no such split, it is empty, or a file has no partner.
    """
    if split not in SPLITS:
        raise DatasetError(f"CamVid has no split `{split}`: {nearest(split, SPLITS)}.")
    images, masks = _folders(config.root, split)
    return PairedFiles(
        "CamVid", split, CAMVID_LABELS, pair_by_stem(Folder(images), Folder(masks)), {VOID: CAMVID_LABELS.ignore_index}
    )


def camvid_splits(config: CamVidConfig) -> tuple[str, ...]:
    """The splits that are there; `train`, for `camvid` to say what is missing, if there are none."""
    layouts = ("masks/{}", "{}annot")
    found = (split for split in SPLITS if any(os.path.isdir(config.root / place.format(split)) for place in layouts))
    return tuple(found) or SPLITS[:1]


def _folders(root: Path, split: str) -> tuple[Path, Path]:
    layouts = [(root / "images" / split, root / "masks" / split), (root / split, root / f"{split}annot")]
    for images, masks in layouts:
        if os.path.isdir(images) and os.path.isdir(masks):
            return images, masks
    raise DatasetNotFoundError(
        f"No CamVid with a split {split} in {root}: it has neither images/{split} with masks/{split} nor {split} with "
        f"{split}annot. Give the folder that contains them."
    )
