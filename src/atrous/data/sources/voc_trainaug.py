"""trainaug: the 10,582 pictures on which the papers train for VOC 2012, made from the archives of VOC and SBD.

Source: Hariharan et al. 2011 and Chen et al. 2014 (arXiv:1412.7062), section 5: VOC's train and all of SBD, without
VOC's val. Where both have a mask, VOC's own is taken: it is finer and has void borders.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.listed import JoinedPairs, Place, listed_pairs, read_names
from atrous.data.parts import find_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.sources.sbd import read_sbd_mask, sbd_masks, sbd_tree
from atrous.data.sources.voc import (
    AUGMENTED,
    LISTS,
    VOC_LABELS,
    VocConfig,
    lists_of,
    voc,
    voc_images,
    voc_names,
    voc_tree,
)
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.images import ReadableFile, read_mask
from atrous.labels import Mask

PICTURES = 10_582

SPLITS = ("train", "val")

TITLE = "PASCAL VOC 2012 trainaug"


class VocTrainaugConfig(Config):
    """VOC 2012 with the masks of SBD: `train` has 10,582 pictures, `val` is VOC's own with 1,449."""

    kind: Literal["voc-trainaug"] = "voc-trainaug"
    root: Path
    """The folder that contains VOC 2012, as for `voc`."""
    sbd: Path | None = None
    """The folder or archive that contains SBD; None looks for it in `root`, then for a folder `SegmentationClassAug`
    with a list train_aug.txt."""
    subset: bool = False
    """Take what is there of the 10,582 pictures, and say so in the title; otherwise it is refused."""


class Group(NamedTuple):
    """Names whose masks lie in one place."""

    names: Sequence[str]
    masks: Place


def voc_trainaug(config: VocTrainaugConfig, split: str) -> SegmentationDataset:
    """Open trainaug as `train`, or VOC's own val.

    Raises:
        DatasetNotFoundError: If VOC or SBD is not there.
        DatasetError: If there is no such split, the lists are not those 10,582 pictures, or a file is missing.
    """
    if split == "val":
        return voc(VocConfig(root=config.root, subset=config.subset), "val")
    if split not in SPLITS:
        raise DatasetError(f"{TITLE} has no split `{split}`: {nearest(split, SPLITS)}.")
    tree = voc_tree(config.root)
    sbd = _sbd_of(config, tree)
    groups = [_ready_made(tree)] if sbd is None else _united(tree, sbd)
    _require_all(groups, tree, subset=config.subset)
    source = f"trainaug of {tree.place}"
    found = [listed_pairs(names, voc_images(tree), masks, source, subset=config.subset) for names, masks in groups]
    pairs = JoinedPairs(*(part.pairs for part in found))
    title = TITLE if len(pairs) == PICTURES else f"{TITLE} ({len(pairs)} of {PICTURES} pictures)"
    return PairedFiles(title, split, VOC_LABELS, pairs, read=read_either_mask)


def voc_trainaug_splits(config: VocTrainaugConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    del config
    return SPLITS


def read_either_mask(file: ReadableFile) -> Mask:
    """Read a mask of SBD by its suffix `.mat`, or one of VOC.

    Raises:
        MaskError, DatasetError: If it cannot be read.
    """
    return read_sbd_mask(file) if file.name.endswith(".mat") else read_mask(file)


def _united(tree: FileTree, sbd: FileTree) -> list[Group]:
    """VOC's train with its own masks, then what SBD has beyond VOC's train and val."""
    train, val = (set(voc_names(tree, name)) for name in ("train", "val"))
    augmented = {name for split in ("train", "val") for name in read_names(sbd, f"{split}.txt")}
    own = Group(sorted(train - val), Place(tree, "SegmentationClass/{}.png"))
    return [own, Group(sorted(augmented - train - val), sbd_masks(sbd))]


def _ready_made(tree: FileTree) -> Group:
    """A list and a folder of masks that others have made."""
    lists = [name for name in lists_of(tree) if name in AUGMENTED]
    if not lists:
        raise DatasetError(
            f"{tree.place} has SegmentationClassAug but no list {LISTS}/train_aug.txt: add the list, or give SBD's own "
            "folder as `sbd`."
        )
    return Group(voc_names(tree, lists[0]), Place(tree, "SegmentationClassAug/{}.png"))


def _sbd_of(config: VocTrainaugConfig, tree: FileTree) -> FileTree | None:
    """The files of SBD; none where the masks are ready-made."""
    if config.sbd is not None:
        return sbd_tree(config.sbd)
    if found := find_part(config.root, "cls"):
        return found
    if tree.has_folder("SegmentationClassAug"):
        return None
    raise DatasetNotFoundError(
        f"No SBD in {config.root}: it has neither a folder cls nor SegmentationClassAug. Run `atrous data download sbd "
        f"{config.root}`, or give its folder as `sbd`."
    )


def _require_all(groups: Sequence[Group], tree: FileTree, *, subset: bool) -> None:
    """Refuse a trainaug that is another one than that of the papers, or that holds pictures of VOC's val."""
    names = {name for group in groups for name in group.names}
    val = names & set(voc_names(tree, "val"))
    if val:
        raise DatasetError(
            f"The trainaug of {tree.place} lists {min(val)} ({len(val)} in all), which is in VOC's val: take it out of "
            "the list, or the scores on val mean nothing."
        )
    if len(names) != PICTURES and not subset:
        raise DatasetError(
            f"The trainaug of {tree.place} has {len(names):,} pictures, but that of the papers has {PICTURES:,}: give "
            "the whole lists of VOC 2012 and SBD, or choose `subset: true` to use the part that is there."
        )
