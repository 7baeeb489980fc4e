"""How one file is mended, step by step, and a split whose samples are mended as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.invented import nearest_drawn
from atrous.data.samples import PairedFiles, Sample, SegmentationDataset, remap
from atrous.images import read_as_is, read_image, read_mask
from atrous.labels import IGNORE_COLOR, LabelSpace, Mask
from atrous.orientation import turned


class FromColors(NamedTuple):
    """Each pixel becomes the class with the nearest colour, or ignored where the ignore colour is nearer."""


class OneChannel(NamedTuple):
    """The picture is grey and its first channel holds the indices."""


class Turn(NamedTuple):
    """The mask is turned as EXIF tells the picture to be."""

    orientation: int


class Values(NamedTuple):
    """Values become what they mean."""

    meanings: Mapping[int, int]


class Redraw(NamedTuple):
    """Pixels of invented values, or of no class, become what is nearest to them."""


class Resize(NamedTuple):
    """The mask gets the picture's (height, width), each pixel the value of the nearest one."""

    size: tuple[int, int]


Mend = FromColors | OneChannel | Turn | Values | Redraw | Resize

ORDER = (FromColors, OneChannel, Turn, Values, Redraw, Resize)
"""First what a file is becomes indices, then the indices become right."""


@dataclass
class Plan:
    """All that is to be done to one split."""

    take_out: set[int] = field(default_factory=set)
    """Samples that no repair can save."""
    mends: dict[int, list[Mend]] = field(default_factory=dict)
    """What is done to the mask of a sample."""
    mask_of: dict[int, int] = field(default_factory=dict)
    """The sample whose mask a sample should have had."""
    meanings: dict[int, int] = field(default_factory=dict)
    """What values mean in all masks of the split."""

    def add(self, sample: int, mend: Mend | None) -> None:
        """Plan a step for a mask, or take the sample out if there is none that would help."""
        if mend is None:
            self.take_out.add(sample)
        else:
            self.mends.setdefault(sample, []).append(mend)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.take_out or self.mends or self.mask_of or self.meanings)


class MendedDataset(SegmentationDataset):
    """A split without the samples that are taken out, and with the masks of the others mended."""

    def __init__(self, dataset: SegmentationDataset, plan: Plan) -> None:
        """Take the split and what is to be done to it."""
        self.title, self.split, self.labels = dataset.title, dataset.split, dataset.labels
        self._dataset, self._plan = dataset, plan
        self._kept = [index for index in range(len(dataset)) if index not in plan.take_out]

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Sample:
        """Read and mend a sample.

        Raises:
            ImageError, MaskError: If a file cannot be read.
        """
        place = self._kept[index]
        owner = self._plan.mask_of.get(place, place)
        steps, meanings = self._plan.mends.get(owner, []), self._plan.meanings
        image, mask, name = _read(self._dataset, place, owner)
        labels = self._dataset.labels
        for step in sorted(steps, key=lambda mend: ORDER.index(type(mend))):
            mask = mended(mask, step, labels)
        return Sample(image, remap(_indices(mask), meanings).astype(labels.mask_dtype), name)

    def source_of(self, index: int) -> str:
        """Where the mask comes from."""
        return self._dataset.source_of(self._kept[index])

    def fingerprint(self) -> str:
        """That of the split itself."""
        return self._dataset.fingerprint()


def mended(mask: NDArray[np.uint8 | np.uint16], mend: Mend, labels: LabelSpace) -> NDArray[np.uint8 | np.uint16]:
    """Take one step of mending.

    Args:
        mask: [H, W] of indices, or uint8 [H, W, 3] of colours.
        mend: The step.
        labels: The classes.

    Returns:
        [H, W] of indices, unless colours were turned.
    """
    match mend:
        case FromColors():
            return classes_of_colors(mask, labels)
        case OneChannel():
            return np.ascontiguousarray(mask[..., 0])
        case Turn(orientation):
            return turned(mask, orientation)
        case Values(meanings):
            return remap(mask, meanings)
        case Redraw():
            return nearest_drawn(mask, known_values(labels))
        case Resize((height, width)):
            resized: Mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            return resized
        case _:
            assert_never(mend)


def known_values(labels: LabelSpace) -> NDArray[np.bool_]:
    """Bool [65536]: the values that are a class or mean ignore."""
    known = np.zeros(65536, bool)
    known[: labels.num_classes] = True
    known[labels.ignore_index] = True
    return known


def classes_of_colors(colors: NDArray[np.uint8 | np.uint16], labels: LabelSpace) -> Mask:
    """The class, or ignore value, whose colour is nearest to each of uint8 [H, W, 3]."""
    unique, places = unique_colors(colors)
    references = np.array([*labels.colors, IGNORE_COLOR], np.int64)
    values = np.array([*range(labels.num_classes), labels.ignore_index], labels.mask_dtype)
    mask: Mask = values[np.array([nearest(color, references)[0] for color in unique])][places]
    return mask


def unique_colors(colors: NDArray[np.uint8 | np.uint16]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The different colours [N, 3], and for each pixel [H, W] which of them it has."""
    red, green, blue = (colors[..., channel].astype(np.int64) for channel in range(3))
    packed, places = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1), places.reshape(colors.shape[:2])


def nearest(color: NDArray[np.int64], references: NDArray[np.int64]) -> tuple[int, int]:
    """(place, squared distance) of the reference [N, 3] that is nearest to a colour."""
    distances = np.square(references - color).sum(axis=1)
    place = int(distances.argmin())
    return place, int(distances[place])


def _read(dataset: SegmentationDataset, place: int, owner: int) -> tuple[NDArray[np.uint8], Mask, str]:
    """The picture of one sample and the mask of another, or of the same, as the file holds it."""
    if isinstance(dataset, PairedFiles) and dataset.read is read_mask:
        pixels = read_as_is(dataset.pairs[owner].mask).pixels
        indices = pixels if pixels.ndim == 3 else remap(pixels, dataset.values)
        return read_image(dataset.pairs[place].image), indices, dataset.name_of(place)
    sample = dataset[place]
    return sample.image, (sample if owner == place else dataset[owner]).mask, sample.name


def _indices(mask: NDArray[np.uint8 | np.uint16]) -> Mask:
    if mask.ndim != 2:
        raise ValueError("a mask of colours was left unmended")
    return mask
