"""Files on disk become samples and batches."""

import os
import re
from pathlib import Path
from typing import Annotated, assert_never

from pydantic import Field

from atrous.config import nearest, parse
from atrous.data.folder import FolderConfig, folder, read_description
from atrous.data.samples import SegmentationDataset
from atrous.data.shapes import SPLITS, GeneratedShapes, ShapesConfig
from atrous.data.sources.camvid import CamVidConfig, camvid, camvid_splits
from atrous.data.sources.coco import CocoConfig, coco, coco_splits
from atrous.data.sources.coco_panoptic import CocoPanopticConfig, coco_panoptic, coco_panoptic_splits
from atrous.data.sources.cvat import CvatConfig, cvat, cvat_splits
from atrous.data.sources.deepfashion2 import DeepFashion2Config, deepfashion2, deepfashion2_splits
from atrous.data.sources.labelme import LabelMeConfig, labelme, labelme_splits
from atrous.data.sources.supervisely import SuperviselyConfig, supervisely, supervisely_splits
from atrous.data.sources.yolo import YoloConfig, yolo, yolo_splits
from atrous.errors import ConfigError

DataConfig = Annotated[
    FolderConfig
    | CamVidConfig
    | CocoConfig
    | CocoPanopticConfig
    | CvatConfig
    | DeepFashion2Config
    | LabelMeConfig
    | ShapesConfig
    | SuperviselyConfig
    | YoloConfig,
    Field(discriminator="kind"),
]

KINDS = (
    "folder",
    "camvid",
    "coco",
    "coco-panoptic",
    "cvat",
    "deepfashion2",
    "labelme",
    "shapes",
    "supervisely",
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
        case CamVidConfig():
            return camvid(config, split)
        case CocoConfig():
            return coco(config, split)
        case CocoPanopticConfig():
            return coco_panoptic(config, split)
        case CvatConfig():
            return cvat(config, split)
        case DeepFashion2Config():
            return deepfashion2(config, split)
        case LabelMeConfig():
            return labelme(config, split)
        case ShapesConfig():
            return GeneratedShapes(config, split)
        case SuperviselyConfig():
            return supervisely(config, split)
        case YoloConfig():
            return yolo(config, split)
        case _:
            assert_never(config)


def splits_of(config: DataConfig) -> tuple[str, ...]:
    """The splits of a data set, by the names that `open_split` takes.

    Raises:
        DatasetError: If the data set is not there.
    """
    match config:
        case FolderConfig():
            return read_description(config.root).splits
        case CamVidConfig():
            return camvid_splits(config)
        case CocoConfig():
            return coco_splits(config)
        case CocoPanopticConfig():
            return coco_panoptic_splits(config)
        case CvatConfig():
            return cvat_splits(config)
        case DeepFashion2Config():
            return deepfashion2_splits(config)
        case LabelMeConfig():
            return labelme_splits(config)
        case ShapesConfig():
            return SPLITS
        case SuperviselyConfig():
            return supervisely_splits(config)
        case YoloConfig():
            return yolo_splits(config)
        case _:
            assert_never(config)


def parse_dataset(text: str) -> DataConfig:
    """Read a DATASET as commands take it: a folder in our own format, `KIND:PATH`, or `shapes:SEED`.

    Raises:
        ConfigError: If the kind is unknown.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not LOOKS_LIKE_A_KIND.fullmatch(kind) or os.path.exists(text):
        return FolderConfig(root=Path(text))
    if kind not in KINDS:
        raise ConfigError(f"There is no kind of data set `{kind}` (given: {text}): {nearest(kind, KINDS)}.")
    place = (
        {"seed": rest} if kind == "shapes" else {"root": os.path.expanduser(rest)}
    )  # the shell does so at the start of a word only
    config: DataConfig = parse(DataConfig, {"kind": kind, **place}, text)
    return config
