"""Which picture and which mask belong together: files, paired by their names and never by their order."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, overload

from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from atrous.images import IMAGE_SUFFIXES, ReadableFile, read_mask_size, read_size


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
        raise MaskError(sizes_differ(pair, image_size, mask_size))


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


def _and_others(lonely: Sequence[str], what: str) -> str:
    others = len(lonely) - 1
    return f" (and so for {others} more {what}{'s' * (others > 1)})" if others else ""


def sizes_differ(pair: ImageMaskPair, image_size: tuple[int, ...], mask_size: tuple[int, ...]) -> str:
    """Name a mask that has another size (height, width) than its picture."""
    return (
        f"{pair.mask} is {mask_size[1]}x{mask_size[0]}, but its picture {pair.image} is "
        f"{image_size[1]}x{image_size[0]} (width x height): give the mask the picture's size, without interpolation."
    )
