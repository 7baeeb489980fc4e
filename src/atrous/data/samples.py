"""Samples and data sets: what every source of data yields, wherever its files come from."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.names import Names
from atrous.data.pairs import ImageMaskPair, Pairs, sizes_differ
from atrous.data.stray_labels import describe_strays, known_labels, stray_labels
from atrous.errors import DatasetError, MaskError
from atrous.images import ReadableFile, read_image, read_mask
from atrous.labels import LabelSpace, Mask
from atrous.picture_paths import unique_stems


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

    def picture_of(self, index: int) -> ReadableFile | None:  # noqa: ARG002
        """The file that holds the picture of a sample, or none where the picture is made."""
        return None

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that the split consists of: the same one means the same pictures and masks."""


class PairedFiles(SegmentationDataset):
    """A split whose pictures and masks are files; `pairs`, `values` and `read` are as they were given."""

    def __init__(
        self,
        title: str,
        split: str,
        labels: LabelSpace,
        pairs: Sequence[ImageMaskPair],
        values: Mapping[int, int] | None = None,
        read: Callable[[ReadableFile], Mask] = read_mask,
        reading: str = "",
    ) -> None:
        """Take the files as they are; nothing is read yet.

        Args:
            title: The data set's name.
            split: The split's name.
            labels: The classes.
            pairs: The files, in the order of the samples.
            values: What a value in the mask files means as class index (or ignore value); others mean themselves.
            read: How the mask files are read, where they are no pictures of indices.
            reading: What that depends on beyond the files, for the fingerprint.

        Raises:
            DatasetError: If there are no pairs.
        """
        if not pairs:
            raise DatasetError(f"The split {split} of {title} is empty: a picture and its mask were expected.")
        self.title, self.split, self.labels, self.pairs = title, split, labels, pairs
        self.values = {int(value): int(meaning) for value, meaning in (values or {}).items()}
        self._names = _sample_names(pairs)
        self.read, self._reading = read, reading

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        pair = self.pairs[index]
        image, mask = read_image(pair.image), self.read(pair.mask)
        if image.shape[:2] != mask.shape:
            raise MaskError(sizes_differ(pair, image.shape[:2], mask.shape))
        return Sample(image, remap(mask, self.values), self._names[index])

    def name_of(self, index: int) -> str:
        """The name of a sample, without reading it."""
        return self._names[index]

    def source_of(self, index: int) -> str:
        """The path of the mask."""
        return str(self.pairs[index].mask)

    def picture_of(self, index: int) -> ReadableFile:
        """The file of the picture."""
        return self.pairs[index].image

    def fingerprint(self) -> str:
        """SHA-256 over the names and the bytes of all files, and over what their values mean.

        Raises:
            DatasetError: If a file cannot be read.
        """
        digest = hashlib.sha256(repr((self.labels.names, sorted(self.values.items()))).encode())
        digest.update(self._reading.encode())
        for pair in self.pairs:
            for file in pair:
                digest.update(file.name.encode(errors="surrogateescape"))
                digest.update(_digest_of(file))
        return digest.hexdigest()[:16]


def _sample_names(pairs: Sequence[ImageMaskPair]) -> Names:
    """The stems of the pictures; where some are the same, with what tells them apart."""
    if isinstance(pairs, Pairs):  # without a path for each of a million
        stems = Names(name.rpartition("/")[2].rpartition(".")[0] for name in pairs.image_names)
    else:
        stems = Names(pair.image.stem for pair in pairs)
    if len(set(stems)) == len(stems):
        return stems
    return Names(unique_stems([Path(str(pair.image)) for pair in pairs]))


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


def require_same_classes(datasets: Sequence[SegmentationDataset]) -> None:
    """Refuse splits that cannot become one data set, since a value means another class in one than in the other.

    Raises:
        DatasetError: If the classes of two differ.
    """
    for dataset in datasets[1:]:
        if dataset.labels != datasets[0].labels:
            raise DatasetError(
                f"The splits {datasets[0].split} and {dataset.split} of {dataset.title} have other classes: name one "
                "of them alone, or give both the same."
            )


def require_known_labels(dataset: SegmentationDataset, index: int, sample: Sample) -> None:
    """Refuse a mask that holds a label of no class.

    Raises:
        MaskError: It names the file, each stray value and its number of pixels.
    """
    strays = stray_labels(sample.mask, dataset.labels)
    if strays:
        raise MaskError(
            f"{describe_strays(dataset.source_of(index), strays)}, but {dataset.title} knows only "
            f"{known_labels(dataset.labels)}: correct the mask, or add the class to the data set."
        )


def _digest_of(file: ReadableFile) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read()).digest()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror or error}): put the file back.") from None
