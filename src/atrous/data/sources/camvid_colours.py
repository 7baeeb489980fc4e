"""CamVid as its makers hand it out: 701 stills, masks in 32 colours, and no split.

Source: Brostow, Fauqueur and Cipolla 2009 with `label_colors.txt`. The groups of 11 classes are those of MathWorks'
example "Semantic Segmentation Using Deep Learning"; the split is that of the SegNet tutorial, by sequence and frame.
"""

import re
from pathlib import Path
from typing import Literal

from atrous.data.color_tables import ColorMasks, ColorTable, read_color_table
from atrous.data.file_tree import FileTree
from atrous.data.pairs import pair_by_stem
from atrous.data.parts import find_part, require_part
from atrous.data.samples import PairedFiles
from atrous.errors import DatasetError
from atrous.labels import LabelSpace

TABLE = "label_colors.txt"

VOID = "Void"

CAMVID_LABELS = LabelSpace(
    names=(
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"
    ),
    colors=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip

GROUPS = {
    "sky": ("Sky",),
    "building": ("Archway", "Bridge", "Building", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("LaneMkgsDriv", "LaneMkgsNonDriv", "Road"),
    "pavement": ("ParkingBlock", "RoadShoulder", "Sidewalk"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("Misc_Text", "SignSymbol", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"),
    "pedestrian": ("Animal", "CartLuggagePram", "Child", "Pedestrian"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
}
"""Which of the 32 classes each of the 11 consists of; Void belongs to none."""

WAY_OUT = "Run `atrous data download camvid DIR`"

FRAME = re.compile(r"(?P<sequence>[0-9A-Za-z]+)_f?(?P<frame>\d+)")


def original_split(root: Path, split: str, classes: Literal[11, 32]) -> PairedFiles:
    """Open one split of the original pictures and colours.

    Raises:
        DatasetNotFoundError: If the pictures or masks are not there.
        DatasetError: If a file has no partner, or the table lacks a colour.
    """
    tree = require_part(root, "CamVid", WAY_OUT, TABLE)
    labels, masks = _eleven(tree) if classes == 11 else _all(tree)
    pairs = pair_by_stem(_stills(root), _labelled(root), mask_ending="_L")
    places = [place for place, pair in enumerate(pairs) if split_of(pair.image.stem) == split]
    reading = repr(sorted(masks.meanings.items()))
    return PairedFiles("CamVid", split, labels, pairs.chosen(places), read=masks, reading=reading)


def split_of(name: str) -> Literal["train", "val", "test"]:
    """The split in which the SegNet tutorial has a picture: 367 train, 101 val, 233 test.

    Raises:
        DatasetError: If the name is none of CamVid's.
    """
    match = FRAME.fullmatch(name)
    frame = int(match["frame"]) if match else 0
    match match["sequence"] if match else "":
        case "0006R0":
            return "train"
        case "0016E5":
            return "val" if 7959 <= frame <= 8159 else "train"
        case "0001TP":
            return "train" if frame <= 8520 else "test"
        case "Seq05VD":
            return "test"
        case _:
            raise DatasetError(f"{name} is no picture of CamVid, whose names are like 0016E5_07959: take it out.")


def _eleven(tree: FileTree) -> tuple[LabelSpace, ColorMasks]:
    table = _table(tree)
    groups = {name: CAMVID_LABELS.names.index(group) for group, names in GROUPS.items() for name in names}
    if missing := sorted({*groups, VOID} ^ set(table)):
        raise DatasetError(
            f"{tree.file(TABLE)} and CamVid's 32 classes differ in {missing[0]}: get a whole copy of it."
        )
    meanings = {color: groups.get(name, CAMVID_LABELS.ignore_index) for name, color in table.items()}
    return CAMVID_LABELS, ColorMasks(meanings, str(tree.file(TABLE)))


def _all(tree: FileTree) -> tuple[LabelSpace, ColorMasks]:
    table = _table(tree)
    names = [name for name in table if name != VOID]
    labels = LabelSpace(names=tuple(names), colors=tuple(table[name] for name in names))
    meanings = {color: labels.ignore_index if name == VOID else names.index(name) for name, color in table.items()}
    return labels, ColorMasks(meanings, str(tree.file(TABLE)))


def _table(tree: FileTree) -> ColorTable:
    return read_color_table(tree, TABLE)


def _stills(root: Path) -> FileTree:
    return require_part(root, "CamVid", WAY_OUT, "701_StillsRaw_full").below("701_StillsRaw_full")


def _labelled(root: Path) -> FileTree:
    """The masks: their zip has no folder of its own."""
    if part := find_part(root, "LabeledApproved_full"):
        return part.below("LabeledApproved_full")
    return require_part(root, "CamVid", WAY_OUT, "0016E5_07959_L.png")
