"""Samples and data sets: what every source of data yields, wherever its files come from."""

import hashlib
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from atrous.images import IMAGE_SUFFIXES, ReadableFile, read_image, read_mask, read_mask_size, read_size
from atrous.labels import LabelSpace, Mask
from atrous.picture_paths import unique_stems

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

    def picture_of(self, index: int) -> ReadableFile | None:  # noqa: ARG002
        """The file that holds the picture of a sample, or none where the picture is made."""
        return None

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of all that the split consists of: the same one means the same pictures and masks."""


class ImageMaskPair(NamedTuple):
    """Two files that belong together."""

    image: ReadableFile
    mask: ReadableFile


class Pairs(Sequence[ImageMaskPair]):
    """Files that belong together, by their names in two trees; a pair is made when it is asked for."""

    def __init__(
        self, images: FileTree, image_names: Sequence[str], masks: FileTree, mask_names: Sequence[str]
    ) -> None:
        """Take the names, in the order of the pairs.

        Raises:
            ValueError: If there are not as many of the ones as of the others.
        """
        if len(image_names) != len(mask_names):
            raise ValueError(f"{len(image_names)} pictures cannot be paired with {len(mask_names)} masks")
        self._images, self.image_names = images, _compact(image_names)
        self._masks, self._mask_names = masks, _compact(mask_names)

    def __len__(self) -> int:
        return len(self.image_names)

    @overload
    def __getitem__(self, index: int) -> ImageMaskPair: ...
    @overload
    def __getitem__(self, index: slice) -> "Pairs": ...
    def __getitem__(self, index: int | slice) -> "ImageMaskPair | Pairs":
        images, masks = self.image_names[index], self._mask_names[index]
        if isinstance(images, str) and isinstance(masks, str):
            return ImageMaskPair(self._images.file(images), self._masks.file(masks))
        return Pairs(self._images, images, self._masks, masks)

    def chosen(self, places: Sequence[int]) -> "Pairs":
        """The pairs at some places, in that order."""
        images, masks = (Names(names[place] for place in places) for names in (self.image_names, self._mask_names))
        return Pairs(self._images, images, self._masks, masks)


def _compact(names: Sequence[str]) -> Names:
    return names if isinstance(names, Names) else Names(names)


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
            raise MaskError(_sizes_differ(pair, image.shape[:2], mask.shape))
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


def pair_by_stem(images: FileTree, masks: FileTree, *, image_ending: str = "", mask_ending: str = "") -> Pairs:
    """Pair the pictures of one folder with the masks of another by their path without suffix.

    Args:
        images: The folder of the pictures.
        masks: That of the masks.
        image_ending: What the stems of pictures end with beyond the common name; files without it are passed over.
        mask_ending: The same for masks, such as `_gtFine_labelIds`.

    Returns:
        The pairs, sorted by that path.

    Raises:
        DatasetNotFoundError: If one of the folders is not there.
        DatasetError: If a picture has no mask, a mask no picture, or two files one name; pairs are never made by order.
    """
    image_names, mask_names = _sorted_by_stem(images, image_ending), _sorted_by_stem(masks, mask_ending)
    if not _same_stems(image_names, image_ending, mask_names, mask_ending):
        image_of = {_stem(name, image_ending): name for name in image_names}
        mask_of = {_stem(name, mask_ending): name for name in mask_names}
        if lonely := sorted(image_of.keys() - mask_of.keys()):
            raise DatasetError(
                f"{images.file(image_of[lonely[0]])} has no mask: {masks.place}/{lonely[0]}{mask_ending}.png was "
                f"expected{_and_others(lonely, 'picture')}. Add the mask or take the picture out."
            )
        lonely = sorted(mask_of.keys() - image_of.keys())
        raise DatasetError(
            f"{masks.file(mask_of[lonely[0]])} has no picture: one named {lonely[0]}{image_ending} was expected in "
            f"{images.place}{_and_others(lonely, 'mask')}. Add the picture or take the mask out."
        )
    return Pairs(images, image_names, masks, mask_names)


def require_equal_sizes(pair: ImageMaskPair) -> None:
    """Compare the sizes in the headers of a picture and its mask, without decoding them.

    Raises:
        MaskError: If they differ, or the mask cannot be read.
        ImageError: If the picture cannot be read.
    """
    image_size, mask_size = read_size(pair.image), read_mask_size(pair.mask)
    if image_size != mask_size:
        raise MaskError(_sizes_differ(pair, image_size, mask_size))


def _sorted_by_stem(tree: FileTree, ending: str) -> Names:
    """The pictures below a place, sorted by their path without suffix and ending; no two have the same."""
    if not tree.has_folder(""):
        raise DatasetNotFoundError(f"There is no folder {tree.place}: pictures and masks were expected in two folders.")
    names = [name for name in tree.walk() if _is_picture(name, ending)]
    names.sort(key=lambda name: (_stem(name, ending), name))
    before = ""
    for number, name in enumerate(names):
        stem = _stem(name, ending)
        if stem == before and number:
            raise DatasetError(
                f"{tree.file(names[number - 1])} and {tree.file(name)} have the same name: rename one, so that pairs "
                "are certain."
            )
        before = stem
    return Names(names)


def _same_stems(images: Names, image_ending: str, masks: Names, mask_ending: str) -> bool:
    if len(images) != len(masks):
        return False
    pairs = zip(images, masks, strict=True)
    return all(_stem(image, image_ending) == _stem(mask, mask_ending) for image, mask in pairs)


def _is_picture(name: str, ending: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return f"{dot}{suffix}".lower() in IMAGE_SUFFIXES and stem.endswith(ending)


def _stem(name: str, ending: str) -> str:
    """The path without suffix and ending; of a picture, whose name has both.

    An ü is one character here, as elsewhere than on a Mac, which may write it as u and dots.
    """
    return unicodedata.normalize("NFC", name[: name.rindex(".") - len(ending)])


def _digest_of(file: ReadableFile) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read()).digest()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror or error}): put the file back.") from None


def _and_others(lonely: Sequence[str], what: str) -> str:
    others = len(lonely) - 1
    return f" (and so for {others} more {what}{'s' * (others > 1)})" if others else ""


def _sizes_differ(pair: ImageMaskPair, image_size: tuple[int, ...], mask_size: tuple[int, ...]) -> str:
    return (
        f"{pair.mask} is {mask_size[1]}x{mask_size[0]}, but its picture {pair.image} is "
        f"{image_size[1]}x{image_size[0]} (width x height): give the mask the picture's size, without interpolation."
    )
