"""SBD, the Semantic Boundaries Dataset: VOC's classes on 11,355 pictures of VOC, in MATLAB's files.

Source: Hariharan et al. 2011 and the README of `benchmark.tgz`: `GTcls.Segmentation` holds 0 for the background and 1
to 20 for the objects; there is no void border. Its own train has pictures of VOC's val in it; `train_noval` has none,
and `voc-trainaug` is the usual union with VOC.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.listed import Place, listed_pairs, read_names
from atrous.data.mat_files import mat_mask, read_mat
from atrous.data.parts import require_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.sources.voc import VOC_LABELS
from atrous.errors import DatasetError, MaskError
from atrous.images import ReadableFile
from atrous.labels import Mask

SPLITS = ("train", "val", "train_noval")


class SbdConfig(Config):
    """SBD in its own layout: `dataset/img`, `dataset/cls`, `dataset/train.txt`."""

    kind: Literal["sbd"] = "sbd"
    root: Path
    """The folder or archive that contains `benchmark_RELEASE/dataset`, or that folder itself."""
    subset: bool = False
    """Leave out what is listed but not there, and say so in the title; otherwise it is refused."""


def sbd(config: SbdConfig, split: str) -> SegmentationDataset:
    """Open one split of SBD: train, val or train_noval.

    Raises:
        DatasetNotFoundError: If there is no SBD.
        DatasetError: If there is no such split, or a file that it names is missing.
    """
    if split not in SPLITS:
        raise DatasetError(f"SBD has no split `{split}`: {nearest(split, SPLITS)}.")
    tree = sbd_tree(config.root)
    if split == "train_noval" and not tree.has_file("train_noval.txt"):
        raise DatasetError(
            f"{tree.place} has no train_noval.txt, which is not in SBD's archive: `atrous data download sbd "
            f"{config.root}` fetches it; or use voc-trainaug, which needs none."
        )
    images = Place(tree, "img/{}.jpg")
    names = read_names(tree, f"{split}.txt")
    found = listed_pairs(names, images, sbd_masks(tree), f"{tree.place}/{split}.txt", subset=config.subset)
    return PairedFiles(found.stated("SBD"), split, VOC_LABELS, found.pairs, read=read_sbd_mask)


def sbd_splits(config: SbdConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    del config
    return ("train", "val")


def sbd_tree(root: Path) -> FileTree:
    """The files of SBD, where they lie below a folder or in an archive.

    Raises:
        DatasetNotFoundError: If there are none.
    """
    return require_part(root, "SBD", f"Run `atrous data download sbd {root}`", "cls")


def sbd_masks(tree: FileTree) -> Place:
    """Where the masks are."""
    return Place(tree, "cls/{}.mat")


def read_sbd_mask(file: ReadableFile) -> Mask:
    """Read a mask of SBD.

    Returns:
        uint8 [H, W] in VOC's classes.

    Raises:
        MaskError: If the file holds none.
        DatasetError: If it is missing or damaged.
    """
    truth = np.asarray(read_mat(file, "GTcls"))
    if truth.size != 1 or truth.dtype.names is None or "Segmentation" not in truth.dtype.names:
        raise MaskError(f"{file} has no matrix GTcls.Segmentation: give a file of SBD's folder cls.")
    return mat_mask(truth["Segmentation"].item(), file)
