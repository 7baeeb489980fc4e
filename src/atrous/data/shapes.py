"""Generated pictures: streets of a small town, drawn from a seed, for the demo and for tests."""

import hashlib
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from atrous.config import Config
from atrous.data.samples import Sample, SegmentationDataset
from atrous.data.street.photograph import photograph
from atrous.data.street.scene import Thing
from atrous.data.street.town import draw_town
from atrous.errors import DatasetError
from atrous.labels import LabelSpace

DRAWING_VERSION = 2  # counts up with every change of what a seed draws

SPLITS = ("train", "val", "test")

Side = Annotated[int, Field(ge=32, le=4096)]
Count = Annotated[int, Field(gt=0)]

SHAPES_LABELS = LabelSpace(
    names=tuple(thing.name.lower() for thing in Thing),
    colors=(
        (126, 190, 238),
        (176, 106, 92),
        (92, 84, 116),
        (222, 182, 206),
        (164, 208, 112),
        (44, 130, 82),
        (250, 214, 82),
        (244, 128, 48),
        (52, 84, 190),
        (218, 40, 84),
    ),
)


class ShapesConfig(Config):
    """Which generated pictures there are."""

    kind: Literal["shapes"] = "shapes"
    seed: Annotated[int, Field(ge=0)] = 0
    height: Side = 120
    width: Side = 160
    train: Count = 600
    """How many scenes the split train has."""
    val: Count = 60
    test: Count = 100


def draw_scene(seed: int, split: str, index: int, size: tuple[int, int]) -> Sample:
    """Draw a street scene; the same arguments give the same scene, bit for bit, and no two splits share one.

    Args:
        seed: Not negative.
        split: train, val or test.
        index: Not negative.
        size: (height, width) of the picture; a larger size shows the same scene in more pixels.

    Returns:
        A uint8 [H, W, 3] image and a uint8 [H, W] mask in `SHAPES_LABELS`. Each object has an outline of one pixel,
        where the picture mixes two objects, with the ignore value.

    Raises:
        ValueError: If there is no such split.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, SPLITS.index(split), index)))
    scene = draw_town(rng, size)
    mask = np.where(scene.canvas.outlines(), np.uint8(SHAPES_LABELS.ignore_index), scene.canvas.classes())
    return Sample(photograph(scene), mask, f"{split}_{index:05d}")


class GeneratedShapes(SegmentationDataset):
    """One split of the generated pictures; each is drawn anew whenever it is asked for."""

    def __init__(self, config: ShapesConfig, split: str) -> None:
        """Draw nothing yet.

        Raises:
            DatasetError: If there is no such split.
        """
        if split not in SPLITS:
            raise DatasetError(f"The generated shapes have no split {split!r}: choose one of {', '.join(SPLITS)}.")
        self.title, self.split, self.labels = "generated shapes", split, SHAPES_LABELS
        self.config = config

    def __len__(self) -> int:
        return {"train": self.config.train, "val": self.config.val, "test": self.config.test}[self.split]

    def __getitem__(self, index: int) -> Sample:
        """Draw a scene.

        Raises:
            IndexError: If there are not so many.
        """
        index = range(len(self))[index]
        return draw_scene(self.config.seed, self.split, index, (self.config.height, self.config.width))

    def source_of(self, index: int) -> str:
        """What the scene is drawn from."""
        return f"generated shapes, seed {self.config.seed}, {self.split} scene {index}"

    def fingerprint(self) -> str:
        """A hash of the version of the drawing and of all choices that this split depends on."""
        choices = (DRAWING_VERSION, self.config.seed, self.config.height, self.config.width, self.split, len(self))
        return hashlib.sha256(repr(choices).encode()).hexdigest()[:16]
