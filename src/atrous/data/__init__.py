"""Files on disk become samples and batches."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, assert_never

from pydantic import Field

from atrous.config import nearest, override, parse
from atrous.data.folder import FolderConfig, folder, folder_splits
from atrous.data.samples import SegmentationDataset
from atrous.data.shapes import SPLITS as SHAPES_SPLITS
from atrous.data.shapes import GeneratedShapes, ShapesConfig
from atrous.data.sources.ade20k import Ade20kConfig, ade20k, ade20k_splits
from atrous.data.sources.camvid import CamVidConfig, camvid, camvid_splits
from atrous.data.sources.cityscapes import CityscapesConfig, cityscapes, cityscapes_splits
from atrous.data.sources.clothing_co_parsing import (
    ClothingCoParsingConfig,
    clothing_co_parsing,
    clothing_co_parsing_splits,
)
from atrous.data.sources.coco import CocoConfig, coco, coco_splits
from atrous.data.sources.coco_panoptic import CocoPanopticConfig, coco_panoptic, coco_panoptic_splits
from atrous.data.sources.coco_stuff import CocoStuffConfig, coco_stuff, coco_stuff_splits
from atrous.data.sources.colour_masks import ColourMasksConfig, colour_masks, colour_masks_splits
from atrous.data.sources.cvat import CvatConfig, cvat, cvat_splits
from atrous.data.sources.deepfashion2 import DeepFashion2Config, deepfashion2, deepfashion2_splits
from atrous.data.sources.labelme import LabelMeConfig, labelme, labelme_splits
from atrous.data.sources.pets import PetsConfig, pets, pets_splits
from atrous.data.sources.sbd import SbdConfig, sbd, sbd_splits
from atrous.data.sources.supervisely import SuperviselyConfig, supervisely, supervisely_splits
from atrous.data.sources.voc import VocConfig, voc, voc_splits
from atrous.data.sources.voc_trainaug import VocTrainaugConfig, voc_trainaug, voc_trainaug_splits
from atrous.data.sources.yolo import YoloConfig, yolo, yolo_splits
from atrous.errors import ConfigError

DataConfig = Annotated[
    FolderConfig
    | Ade20kConfig
    | CamVidConfig
    | CityscapesConfig
    | ClothingCoParsingConfig
    | CocoConfig
    | CocoPanopticConfig
    | CocoStuffConfig
    | ColourMasksConfig
    | CvatConfig
    | DeepFashion2Config
    | LabelMeConfig
    | PetsConfig
    | SbdConfig
    | ShapesConfig
    | SuperviselyConfig
    | VocConfig
    | VocTrainaugConfig
    | YoloConfig,
    Field(discriminator="kind"),
]

KINDS = (
    "folder",
    "ade20k",
    "camvid",
    "cityscapes",
    "clothing-co-parsing",
    "coco",
    "coco-panoptic",
    "coco-stuff",
    "colour-masks",
    "cvat",
    "deepfashion2",
    "labelme",
    "pets",
    "sbd",
    "shapes",
    "supervisely",
    "voc",
    "voc-trainaug",
    "yolo",
)

# Not the C of C:\data, nor the ./a of ./a:b.
LOOKS_LIKE_A_KIND = re.compile(r"[\w-]{2,}")


def open_split(config: DataConfig, split: str) -> SegmentationDataset:
    """Open one split of a data set; files are looked for, not yet read.

    Raises:
        DatasetError: If the data set or the split is not there, or files have no partner.
    """
    match config:
        case FolderConfig():
            return folder(config, split)
        case Ade20kConfig():
            return ade20k(config, split)
        case CamVidConfig():
            return camvid(config, split)
        case CityscapesConfig():
            return cityscapes(config, split)
        case ClothingCoParsingConfig():
            return clothing_co_parsing(config, split)
        case CocoConfig():
            return coco(config, split)
        case CocoPanopticConfig():
            return coco_panoptic(config, split)
        case CocoStuffConfig():
            return coco_stuff(config, split)
        case ColourMasksConfig():
            return colour_masks(config, split)
        case CvatConfig():
            return cvat(config, split)
        case DeepFashion2Config():
            return deepfashion2(config, split)
        case LabelMeConfig():
            return labelme(config, split)
        case PetsConfig():
            return pets(config, split)
        case SbdConfig():
            return sbd(config, split)
        case ShapesConfig():
            return GeneratedShapes(config, split)
        case SuperviselyConfig():
            return supervisely(config, split)
        case VocConfig():
            return voc(config, split)
        case VocTrainaugConfig():
            return voc_trainaug(config, split)
        case YoloConfig():
            return yolo(config, split)
        case _:
            assert_never(config)


def splits_of(config: DataConfig) -> tuple[str, ...]:
    """The names of the splits that together are a data set, none of which shares a picture with another.

    Raises:
        DatasetError: If the data set is not there.
    """
    match config:
        case FolderConfig():
            return folder_splits(config)
        case Ade20kConfig():
            return ade20k_splits(config)
        case CamVidConfig():
            return camvid_splits(config)
        case CityscapesConfig():
            return cityscapes_splits(config)
        case ClothingCoParsingConfig():
            return clothing_co_parsing_splits(config)
        case CocoConfig():
            return coco_splits(config)
        case CocoPanopticConfig():
            return coco_panoptic_splits(config)
        case CocoStuffConfig():
            return coco_stuff_splits(config)
        case ColourMasksConfig():
            return colour_masks_splits(config)
        case CvatConfig():
            return cvat_splits(config)
        case DeepFashion2Config():
            return deepfashion2_splits(config)
        case LabelMeConfig():
            return labelme_splits(config)
        case PetsConfig():
            return pets_splits(config)
        case SbdConfig():
            return sbd_splits(config)
        case ShapesConfig():
            return SHAPES_SPLITS
        case SuperviselyConfig():
            return supervisely_splits(config)
        case VocConfig():
            return voc_splits(config)
        case VocTrainaugConfig():
            return voc_trainaug_splits(config)
        case YoloConfig():
            return yolo_splits(config)
        case _:
            assert_never(config)


def parse_dataset(text: str | Path, choices: Sequence[str] = ()) -> DataConfig:
    """Read a DATASET as commands take it: a folder in our own format, `KIND:PATH`, or `shapes:SEED`.

    Args:
        text: As it was typed.
        choices: Further choices of the kind as `key=value`, such as `subset=true`.

    Raises:
        ConfigError: If the kind is unknown, or a choice is.
    """
    data = override(_kind_and_place(str(text)), choices)
    config: DataConfig = parse(DataConfig, data, " ".join([str(text), *choices]))
    return config


def _kind_and_place(text: str) -> dict[str, Any]:
    kind, colon, rest = text.partition(":")
    if not colon or not LOOKS_LIKE_A_KIND.fullmatch(kind) or os.path.exists(text):
        return {"kind": "folder", "root": Path(text)}
    if kind not in KINDS:
        raise ConfigError(f"There is no kind of data set `{kind}` (given: {text}): {nearest(kind, KINDS)}.")
    if kind == "shapes":
        return {"kind": kind, "seed": rest}
    return {"kind": kind, "root": os.path.expanduser(rest)}  # the shell does so at the start of a word only
