"""PASCAL VOC 2012 and its forerunners: lists of names, pictures, and palette masks with void borders.

Source: Everingham et al. 2010, and the development kit's documentation: 0 is the background, 1 to 20 the objects, 255
the void border that is neither trained nor scored. `SegmentationClassAug` is the folder in which many keep the masks of
Hariharan et al. 2011 as PNG.
"""

import posixpath
from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.listed import Place, listed_pairs, read_names
from atrous.data.opening import open_tree
from atrous.data.parts import find_part, require_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.errors import DatasetError
from atrous.known_classes import known_label_space

VOC_LABELS = known_label_space("voc")

LISTS = "ImageSets/Segmentation"
AUGMENTED = ("train_aug", "trainaug")
"""The usual names of the list that needs the masks of `SegmentationClassAug`."""

MaskFolder = Literal["SegmentationClass", "SegmentationClassAug"]


class VocConfig(Config):
    """PASCAL VOC in its own layout: `JPEGImages`, `SegmentationClass`, `ImageSets/Segmentation/<split>.txt`."""

    kind: Literal["voc"] = "voc"
    root: Path
    """The folder or archive that contains `VOCdevkit/VOC2012`, or that folder; of several years 2012 is taken."""
    masks: MaskFolder | None = None
    """The folder of the masks. None: SegmentationClassAug for the lists trainaug and train_aug, and where there is no
    other; else SegmentationClass."""
    subset: bool = False
    """Leave out what is listed but not there, and say so in the title; otherwise it is refused."""


def voc(config: VocConfig, split: str) -> SegmentationDataset:
    """Open one split of PASCAL VOC; a split is any list in `ImageSets/Segmentation`.

    Raises:
        DatasetNotFoundError: If there is no VOC.
        DatasetError: If there is no such list, or a file that it names is missing.
    """
    tree = voc_tree(config.root)
    name = _list_named(tree, split)
    folder = config.masks or mask_folder(tree, name)
    found = listed_pairs(
        voc_names(tree, name),
        voc_images(tree),
        Place(tree, folder + "/{}.png"),
        f"{tree.place}/{LISTS}/{name}.txt",
        subset=config.subset,
    )
    return PairedFiles(found.stated(voc_title(tree)), split, VOC_LABELS, found.pairs)


def voc_splits(config: VocConfig) -> tuple[str, ...]:
    """The lists that together are the data set: train, val, and test where its masks are there."""
    tree = voc_tree(config.root)
    names = lists_of(tree)
    train = next((name for name in ("train", *AUGMENTED) if name in names), None)
    others = [name for name in ("val", "test") if name in names and _has_masks(tree, name, config.masks)]
    return (*([train] if train else []), *others)


def voc_tree(root: Path) -> FileTree:
    """The files of VOC, where they lie below a folder or in an archive; of several years 2012.

    Raises:
        DatasetNotFoundError: If there is none.
    """
    tree = open_tree(root)
    if tree.has_folder(LISTS):
        return tree
    if around := find_part(root, f"VOC2012/{LISTS}"):
        return around.below("VOC2012")
    return require_part(root, "PASCAL VOC", f"Run `atrous data download voc {root}`", LISTS)


def voc_images(tree: FileTree) -> Place:
    """Where the pictures are."""
    return Place(tree, "JPEGImages/{}.jpg")


def voc_title(tree: FileTree) -> str:
    """PASCAL VOC and its year, where the folder's name tells it."""
    year = posixpath.basename(tree.place.replace("\\", "/").rstrip("/")).upper().removeprefix("VOC")
    return f"PASCAL VOC {year}" if year.isdecimal() and len(year) == 4 else "PASCAL VOC"


def lists_of(tree: FileTree) -> list[str]:
    """The names of the lists, sorted."""
    return sorted(name.removesuffix(".txt") for name in tree.below(LISTS).walk() if name.endswith(".txt"))


def voc_names(tree: FileTree, name: str) -> list[str]:
    """The names of a list; of lists with the paths of picture and mask in a line, which others have made, the same."""
    first = [line.split()[0] for line in read_names(tree, f"{LISTS}/{name}.txt")]
    return [posixpath.basename(word).removesuffix(".jpg") for word in first]


def mask_folder(tree: FileTree, name: str) -> MaskFolder:
    """The folder of the masks of a list, if none is chosen."""
    if name in AUGMENTED or not tree.has_folder("SegmentationClass"):
        return "SegmentationClassAug"
    return "SegmentationClass"


def _list_named(tree: FileTree, split: str) -> str:
    names = lists_of(tree)
    candidates: list[str] = [split, *(AUGMENTED if split in AUGMENTED else ())]
    for name in candidates:
        if name in names:
            return name
    raise DatasetError(f"{tree.place} has no split `{split}`: {nearest(split, names)}.")


def _has_masks(tree: FileTree, name: str, masks: MaskFolder | None) -> bool:
    """Whether the first mask of a list is there: those of VOC 2012's test are kept by its makers."""
    return any(tree.has_file(f"{masks or mask_folder(tree, name)}/{one}.png") for one in voc_names(tree, name))
