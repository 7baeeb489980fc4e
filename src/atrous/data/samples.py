"""Samples and data sets: what every source of data yields, wherever its files come from."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from atrous.images import images_below, read_image, read_mask, read_mask_size, read_size, unique_stems
from atrous.labels import LabelSpace, Mask

MOST_NAMED = 8  # stray values in one sentence


class Sample(NamedTuple):
    """One picture with its truth."""

    image: NDArray[np.uint8]
    """uint8 [H, W, 3], RGB, upright."""
    mask: Mask
    """uint8 or uint16 [H, W]: class indices and the ignore value. Nothing else, once `stray_labels` found nothing."""
    name: str
    """The picture's name in its data set, without suffix."""


class SegmentationDataset(ABC):
    """One split of a data set: pictures with masks in one label space."""

    title: str
    """The data set's name, for people."""
    split: str
    """Which part of the data set this is: train, val, test, ..."""
    labels: LabelSpace

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Read or make a sample.

        Raises:
            ImageError, MaskError: If a file is missing, damaged, or the two sizes differ.
        """

    @abstractmethod
    def source_of(self, index: int) -> str:
        """Where the mask of a sample comes from, for messages: a file's path."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that the split consists of: the same one means the same pictures and masks."""


class ImageMaskPair(NamedTuple):
    """Two files that belong together."""

    image: Path
    mask: Path


class PairedFiles(SegmentationDataset):
    """A split whose pictures and masks are files."""

    def __init__(
        self,
        title: str,
        split: str,
        labels: LabelSpace,
        pairs: Sequence[ImageMaskPair],
        values: Mapping[int, int] | None = None,
    ) -> None:
        """Take the files as they are; nothing is read yet.

        Args:
            title: The data set's name.
            split: The split's name.
            labels: The classes.
            pairs: The files, in the order of the samples.
            values: What a value in the mask files means as class index (or ignore value); others mean themselves.

        Raises:
            DatasetError: If there are no pairs.
        """
        if not pairs:
            raise DatasetError(f"The split {split} of {title} is empty: a picture and its mask were expected.")
        self.title, self.split, self.labels, self.pairs = title, split, labels, pairs
        self._values = {int(value): int(meaning) for value, meaning in (values or {}).items()}
        self._names = unique_stems([pair.image for pair in pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        pair = self.pairs[index]
        image, mask = read_image(pair.image), read_mask(pair.mask)
        if image.shape[:2] != mask.shape:
            raise MaskError(_sizes_differ(pair, image.shape[:2], mask.shape))
        return Sample(image, remap(mask, self._values), self._names[index])

    def source_of(self, index: int) -> str:
        """The path of the mask."""
        return str(self.pairs[index].mask)

    def fingerprint(self) -> str:
        """SHA-256 over the names and the bytes of all files, and over what their values mean.

        Raises:
            DatasetError: If a file cannot be read.
        """
        digest = hashlib.sha256(repr((self.labels.names, sorted(self._values.items()))).encode())
        for pair in self.pairs:
            for path in pair:
                digest.update(path.name.encode())
                digest.update(hashlib.sha256(_bytes_of(path)).digest())
        return digest.hexdigest()[:16]


def remap(mask: Mask, values: Mapping[int, int]) -> Mask:
    """Replace values of a mask by what they mean; values that are not named stay.

    Returns:
        uint8 [H, W], or uint16 where `mask` is that or a meaning does not fit into 8 bits.

    Raises:
        ValueError: If a meaning is no mask value.
    """
    if not all(0 <= meaning <= 65535 for meaning in values.values()):
        raise ValueError(f"the meanings {sorted(values.values())} are no mask values, which are 0..65535")
    if not values:
        return mask
    table: NDArray[np.int64] = np.arange(np.iinfo(mask.dtype).max + 1, dtype=np.int64)
    for value, meaning in values.items():
        if 0 <= value < len(table):  # a mask of 8 bits cannot have the others
            table[value] = meaning
    if mask.dtype == np.uint8 and max(values.values()) <= 255:
        return table.astype(np.uint8)[mask]
    return table.astype(np.uint16)[mask]


def stray_labels(mask: Mask, labels: LabelSpace) -> dict[int, int]:
    """The values of a mask that are neither a class nor the ignore value, each with its number of pixels."""
    if int(mask.max(initial=0)) < labels.num_classes:
        return {}
    counts = np.bincount(mask.ravel())
    return {
        int(value): int(counts[value])
        for value in np.flatnonzero(counts)
        if value >= labels.num_classes and value != labels.ignore_index
    }


def describe_strays(source: str, strays: Mapping[int, int]) -> str:
    """Name a mask's stray labels: `masks/a.png has value 37 on 12 pixels`."""
    named = list(strays.items())[:MOST_NAMED]
    values = ", ".join(f"value {value} on {pixels} pixel{'s' * (pixels != 1)}" for value, pixels in named)
    others = len(strays) - len(named)
    return f"{source} has {values}" + (f" and {others} more value{'s' * (others > 1)}" if others else "")


def known_labels(labels: LabelSpace) -> str:
    """Name the values that a mask may have: `0..10 (sky to bicyclist) and 255 (ignore)`."""
    last = labels.num_classes - 1
    span = f"0..{last} ({labels.names[0]} to {labels.names[last]})" if last else f"0 ({labels.names[0]})"
    return f"{span} and {labels.ignore_index} (ignore)"


def pair_by_stem(images: Path, masks: Path) -> list[ImageMaskPair]:
    """Pair the pictures of one folder with the masks of another by their path without suffix.

    Raises:
        DatasetNotFoundError: If one of the folders is not there.
        DatasetError: If a picture has no mask, a mask no picture, or two files one name; pairs are never made by order.
    """
    image_files, mask_files = _by_stem(images), _by_stem(masks)
    if lonely := sorted(image_files.keys() - mask_files.keys()):
        raise DatasetError(
            f"{image_files[lonely[0]]} has no mask: {masks / lonely[0]}.png was expected"
            f"{_and_others(lonely, 'picture')}. Add the mask or take the picture out."
        )
    if lonely := sorted(mask_files.keys() - image_files.keys()):
        raise DatasetError(
            f"{mask_files[lonely[0]]} has no picture: one named {lonely[0]} was expected in {images}"
            f"{_and_others(lonely, 'mask')}. Add the picture or take the mask out."
        )
    return [ImageMaskPair(image_files[stem], mask_files[stem]) for stem in sorted(image_files)]


def require_equal_sizes(pair: ImageMaskPair) -> None:
    """Compare the sizes in the headers of a picture and its mask, without decoding them.

    Raises:
        MaskError: If they differ, or the mask cannot be read.
        ImageError: If the picture cannot be read.
    """
    image_size, mask_size = read_size(pair.image), read_mask_size(pair.mask)
    if image_size != mask_size:
        raise MaskError(_sizes_differ(pair, image_size, mask_size))


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetNotFoundError(f"There is no folder {folder}: pictures and masks were expected in two folders.")
    files: dict[str, Path] = {}
    for path in images_below(folder):
        stem = str(path.relative_to(folder).with_suffix(""))
        if stem in files:
            raise DatasetError(f"{files[stem]} and {path} have the same name: rename one, so that pairs are certain.")
        files[stem] = path
    return files


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}): put the file back.") from None


def _and_others(lonely: Sequence[str], what: str) -> str:
    others = len(lonely) - 1
    return f" (and so for {others} more {what}{'s' * (others > 1)})" if others else ""


def _sizes_differ(pair: ImageMaskPair, image_size: tuple[int, ...], mask_size: tuple[int, ...]) -> str:
    return (
        f"{pair.mask} is {mask_size[1]}x{mask_size[0]}, but its picture {pair.image} is "
        f"{image_size[1]}x{image_size[0]} (width x height): give the mask the picture's size, without interpolation."
    )
