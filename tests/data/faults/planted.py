"""A small clean data set on the disk, and what it takes to plant one fault in it."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from atrous.data.check import Checked, check, open_to_check, write_repaired
from atrous.data.faults.finding import SPOILS
from atrous.data.folder import FolderConfig, write_folder
from atrous.data.samples import Sample, SegmentationDataset
from atrous.data.shapes import GeneratedShapes, ShapesConfig
from atrous.images import read_image, read_mask
from atrous.labels import LabelSpace, Mask

STREETS = ShapesConfig(height=96, width=128, train=12, val=6, test=2)


class Relabelled(SegmentationDataset):
    """Streets whose classes are others."""

    def __init__(self, split: str, labels: LabelSpace, values: Mapping[int, int]) -> None:
        self.streets = GeneratedShapes(STREETS, split)
        self.title, self.split, self.labels, self.values = "streets", split, labels, dict(values)

    def __len__(self) -> int:
        return len(self.streets)

    def __getitem__(self, index: int) -> Sample:
        image, mask, name = self.streets[index]
        table = np.full(256, 255, np.uint8)
        table[list(self.values)] = list(self.values.values())
        return Sample(image, table[mask], name)

    def source_of(self, index: int) -> str:
        return self.streets.source_of(index)

    def fingerprint(self) -> str:
        return self.streets.fingerprint()


def write_clean(root: Path) -> Path:
    """Write streets of 10 classes, in which nothing is wrong."""
    write_folder(root, [GeneratedShapes(STREETS, split) for split in ("train", "val")])
    return root


def write_relabelled(root: Path, labels: LabelSpace, values: Mapping[int, int]) -> Path:
    """Write streets of other classes: the class of each of the ten."""
    write_folder(root, [Relabelled(split, labels, values) for split in ("train", "val")])
    return root


def image_file(root: Path, index: int, split: str = "train") -> Path:
    return root / "images" / split / f"{split}_{index:05d}.png"


def mask_file(root: Path, index: int, split: str = "train") -> Path:
    return root / "masks" / split / f"{split}_{index:05d}.png"


def all_masks(root: Path) -> list[Path]:
    return sorted((root / "masks").rglob("*.png"))


def load_mask(path: Path) -> Mask:
    return read_mask(path)


def load_image(path: Path) -> NDArray[np.uint8]:
    return read_image(path)


def save(path: Path, pixels: NDArray[np.uint8 | np.uint16]) -> None:
    """Write pixels as they are: grey or colour, without a palette; a JPEG at quality 95."""
    Image.fromarray(pixels).save(path, quality=95, subsampling=0)


def jpeg(pixels: NDArray[np.uint8 | np.uint16], quality: int) -> NDArray[np.uint8]:
    """What a JPEG makes of pixels."""
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), np.uint8)


def save_palette(path: Path, pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
    image = Image.fromarray(pixels)
    image.putpalette(palette.tobytes())
    image.save(path)


def change_description(root: Path, **changes: object) -> None:
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def checked(root: Path) -> Checked:
    return check(open_to_check(FolderConfig(root=root)))


def kinds(result: Checked) -> list[str]:
    return [finding.kind for finding in result.report.findings]


def repaired(result: Checked, root: Path) -> Path:
    """Write the corrected copy, and require that nothing in it spoils a training."""
    write_repaired(result, root)
    again = checked(root)
    assert not [finding.sentence for finding in again.report.findings if finding.severity == SPOILS]
    return root
