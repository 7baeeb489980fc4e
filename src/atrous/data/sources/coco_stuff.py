"""COCO-Stuff: 80 things and 91 stuff classes on COCO's pictures, as the 10k and the 164k edition.

Source: Caesar, Uijlings and Ferrari 2018 (arXiv:1612.03716) and the list `labels.txt` of its makers: of the ids 1 to
182, 11 things of COCO's first list have never been annotated. The PNG files of the 164k edition count from 0; the
MATLAB files of the 10k edition (version 1.1) count from 1, and 0 is unlabelled.
"""

from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.listed import Place, listed_pairs, read_names
from atrous.data.mask_values import MaskValues
from atrous.data.mat_files import mat_mask, read_mat
from atrous.data.opening import open_tree
from atrous.data.pairs import pair_by_stem
from atrous.data.parts import find_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.images import ReadableFile
from atrous.known_classes import known_names
from atrous.labels import LabelSpace, Mask

NAMES = known_names("coco-stuff")

UNUSED = (
    "street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door", "blender", "hair brush",
)  # fmt: skip
"""The names without a single annotation."""

SPLITS_10K = ("train", "test", "all")
SPLITS_164K = ("train", "val")

IMAGE_FOLDERS = ("images/{}2017", "{}2017")
MASK_FOLDERS = ("stuffthingmaps/{}2017", "stuffthingmaps_trainval2017/{}2017", "annotations/{}2017")


class CocoStuffConfig(Config):
    """COCO-Stuff in the layout of its makers; the edition is seen from the files."""

    kind: Literal["coco-stuff"] = "coco-stuff"
    root: Path
    """10k: the folder or archive with `images`, `annotations` and `imageLists`. 164k: the folder with `train2017` and
    `val2017`, or `images` with these, and `stuffthingmaps` or `annotations` with the same; or with their zips."""
    classes: Literal[171, 182] = 171
    """171: those that occur, numbered without holes. 182: all ids, as in the released DeepLab v2 models."""
    subset: bool = False
    """10k: leave out what is listed but not there, and say so in the title; otherwise it is refused."""

    @property
    def labels(self) -> LabelSpace:
        """The classes."""
        return LabelSpace.from_names(NAMES if self.classes == 182 else [name for name in NAMES if name not in UNUSED])


def coco_stuff(config: CocoStuffConfig, split: str) -> SegmentationDataset:
    """Open one split of COCO-Stuff.

    Raises:
        DatasetNotFoundError: If there is no COCO-Stuff.
        DatasetError: If there is no such split, or a picture has no mask.
    """
    tree = find_part(config.root, "imageLists")
    choices = SPLITS_164K if tree is None else SPLITS_10K
    if split not in choices:
        raise DatasetError(f"COCO-Stuff in {config.root} has no split `{split}`: {nearest(split, choices)}.")
    return _edition_164k(config, split) if tree is None else _edition_10k(config, tree, split)


def coco_stuff_splits(config: CocoStuffConfig) -> tuple[str, ...]:
    """The splits that together are the data set."""
    return SPLITS_164K if find_part(config.root, "imageLists") is None else ("train", "test")


def _edition_10k(config: CocoStuffConfig, tree: FileTree, split: str) -> PairedFiles:
    path = f"imageLists/{split}.txt"
    images, masks = Place(tree, "images/{}.jpg"), Place(tree, "annotations/{}.mat")
    found = listed_pairs(read_names(tree, path), images, masks, str(tree.file(path)), subset=config.subset)
    read = MaskValues({0: 255, **_shifted(config, 1)}, "COCO-Stuff", _read_mat_mask)
    return PairedFiles(found.stated("COCO-Stuff 10k"), split, config.labels, found.pairs, read=read)


def _edition_164k(config: CocoStuffConfig, split: str) -> PairedFiles:
    images = _folder(config.root, f"{split}2017.zip", IMAGE_FOLDERS, split)
    masks = _folder(config.root, "stuffthingmaps_trainval2017.zip", MASK_FOLDERS, split)
    read = MaskValues({**_shifted(config, 0), 255: 255}, "COCO-Stuff")
    return PairedFiles("COCO-Stuff 164k", split, config.labels, pair_by_stem(images, masks), read=read)


def _folder(root: Path, archive: str, folders: tuple[str, ...], split: str) -> FileTree:
    """A folder of the 164k edition, on disk or in the zip in which its makers hand it out."""
    tree = open_tree(root)
    places = [folder.format(split) for folder in folders]
    for place in places:
        if tree.has_folder(place):
            return tree.below(place)
    if (root / archive).is_file():
        return open_tree(root / archive).below(f"{split}2017")
    raise DatasetNotFoundError(
        f"No COCO-Stuff in {root}: it has neither imageLists (10k) nor {', '.join(places)} or {archive} (164k). Run "
        f"`atrous data download coco-stuff {root}`, or give the folder that contains them."
    )


def _shifted(config: CocoStuffConfig, first: int) -> dict[int, int]:
    """The class index of each value in the files, whose first class has the value `first`."""
    names = config.labels.names
    return {first + index: names.index(name) for index, name in enumerate(NAMES) if name in names}


def _read_mat_mask(file: ReadableFile) -> Mask:
    return mat_mask(read_mat(file, "S"), file)
