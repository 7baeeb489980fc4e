"""ADE20K: scenes indoors and outdoors, as the 150 classes of the scene parsing benchmark or as the full set.

Source: Zhou et al. 2017 and the README of each. Scene parsing: grey PNG, 0 is unlabelled, 1 to 150 the classes. Full
set: in `*_seg.png` the class is (R // 10) * 256 + G, from 1 on in the list `objectnames` of its index; 0 is unlabelled.
"""

import posixpath
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.mat_files import read_mat, strings_of
from atrous.data.names import Names
from atrous.data.pairs import Pairs, pair_by_stem
from atrous.data.parts import find_part, not_found
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.images import ReadableFile, read_mask_colors
from atrous.known_classes import known_names
from atrous.labels import LabelSpace, Mask

SPLITS = {"train": "training", "val": "validation"}

LABEL_FILE, INDEX_FILE = "objectInfo150.txt", "index_ade20k.mat"

UNLABELLED = 65535
"""What the full set's 0 becomes; it has thousands of classes."""


class Ade20kConfig(Config):
    """ADE20K in its own layout: `images/training`, and `annotations` with the same, or the full set."""

    kind: Literal["ade20k"] = "ade20k"
    root: Path
    """The folder or archive that contains `ADEChallengeData2016` or the full set, or that folder itself."""
    names: Path | None = None
    """Full set: a text file with one class per line, from the first on; None takes them from index_ade20k.mat."""


def ade20k(config: Ade20kConfig, split: str) -> SegmentationDataset:
    """Open train or val of ADE20K.

    Raises:
        DatasetNotFoundError: If there is no ADE20K.
        DatasetError: If there is no such split, a file has no partner, or the full set's classes are not known.
    """
    if split not in SPLITS:
        raise DatasetError(f"ADE20K has no split `{split}`: {nearest(split, SPLITS)}.")
    if tree := find_part(config.root, f"annotations/{SPLITS[split]}"):
        return _scene_parsing(tree, split)
    for folder in (f"images/ADE/{SPLITS[split]}", f"images/{SPLITS[split]}"):
        if tree := find_part(config.root, folder):
            return _full_set(tree, folder, split, config.names)
    way_out = f"Run `atrous data download ade20k {config.root}`"
    raise DatasetNotFoundError(not_found(config.root, "ADE20K", way_out, [f"annotations/{SPLITS[split]}"]))


def ade20k_splits(config: Ade20kConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    del config
    return tuple(SPLITS)


def read_full_set_mask(file: ReadableFile) -> Mask:
    """Read the classes of a mask of the full set.

    Returns:
        uint16 [H, W]: the index in the list of classes, 65535 where nothing is labelled.

    Raises:
        MaskError: If the file cannot be read.
    """
    colors = read_mask_colors(file).astype(np.uint16)
    numbers = colors[..., 0] // 10 * 256 + colors[..., 1]
    return np.where(numbers == 0, np.uint16(UNLABELLED), numbers - np.uint16(1))


def _scene_parsing(tree: FileTree, split: str) -> PairedFiles:
    pairs = pair_by_stem(tree.below(f"images/{SPLITS[split]}"), tree.below(f"annotations/{SPLITS[split]}"))
    names = _names_of(tree) if tree.has_file(LABEL_FILE) else known_names("ade20k")
    labels = LabelSpace.from_names(names)
    values = {0: labels.ignore_index} | {index + 1: index for index in range(len(names))}
    return PairedFiles(f"ADE20K {len(names)}", split, labels, pairs, values)


def _names_of(tree: FileTree) -> list[str]:
    """The names of `objectInfo150.txt`: the usual one of each line's synonyms, or the first."""
    known = known_names("ade20k")
    names: list[str] = []
    for line in tree.read_text(LABEL_FILE).splitlines()[1:]:
        synonyms = [word.strip() for word in line.split("\t")[-1].split(",")]
        if any(synonyms):
            usual = known[len(names)] if len(names) < len(known) else ""
            names.append(usual if usual in synonyms else synonyms[0])
    if not names or len(set(names)) < len(names):
        raise DatasetError(f"{tree.file(LABEL_FILE)} is no list of distinct classes: get a whole copy of it.")
    return names


def _full_set(tree: FileTree, folder: str, split: str, given: Path | None) -> PairedFiles:
    labels = LabelSpace.from_names(_full_names(tree, given))
    if labels.ignore_index != UNLABELLED:
        raise DatasetError(
            f"The full ADE20K has thousands of classes, but {given or tree.place} lists {len(labels.names)}."
        )
    images = sorted(name for name in tree.walk(folder) if name.endswith(".jpg"))
    masks = [f"{posixpath.splitext(name)[0]}_seg.png" for name in images]
    if lonely := [mask for mask in masks if not tree.has_file(mask)]:
        raise DatasetError(
            f"{tree.file(lonely[0])} is missing, the mask of a picture that is there: get the whole set."
        )
    pairs = Pairs(tree, Names(images), tree, Names(masks))
    return PairedFiles("ADE20K full set", split, labels, pairs, read=read_full_set_mask)


def _full_names(tree: FileTree, given: Path | None) -> list[str]:
    if given is not None:
        try:
            names = [line.strip() for line in given.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError):
            raise DatasetError(f"{given} is no text file that can be read: give one with a class per line.") from None
        return _told_apart(names)
    if not tree.has_file(INDEX_FILE):
        raise DatasetError(
            f"{tree.place} has no {INDEX_FILE}, which lists the classes of the full ADE20K (index_ade20k.pkl is a "
            "pickle and never opened): add it, or give `names`, a text file with one class per line."
        )
    file = tree.file(INDEX_FILE)
    index = np.asarray(read_mat(file, "index"))
    if index.size != 1 or index.dtype.names is None or "objectnames" not in index.dtype.names:
        raise DatasetError(f"{file} has no list index.objectnames: give the full set's own file.")
    return _told_apart(strings_of(index["objectnames"].item(), file))


def _told_apart(names: list[str]) -> list[str]:
    """Add their place in the list to the names that stand there twice."""
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]
