"""All that is looked at in one picture and its mask, each decoded once."""

import hashlib
from contextlib import suppress
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.edges import Edges, agreement, edges_of
from atrous.data.faults.mask_file import TAKEN_OUT, Fault, fault_of, pixel_of
from atrous.data.faults.mending import Resize, Turn
from atrous.data.mask_values import MaskValues
from atrous.data.samples import PairedFiles, SegmentationDataset, remap
from atrous.errors import AtrousError, MaskError
from atrous.images import (
    PictureAsIs,
    read_as_is,
    read_image,
    read_mask,
    read_orientation,
)
from atrous.labels import LabelSpace, Mask
from atrous.orientation import ON_ITS_SIDE, turned

THUMBNAIL = 96  # pixels of both sides

FITS_BETTER = 0.06
"""How much more a mask must agree with a picture to be its own. Exchanging two masks of CamVid or VOC loses more in 98
of 100 cases; no two pictures of either would gain more than 0.036 by it."""


class Stray(NamedTuple):
    """A value of no class in a mask."""

    value: int
    """As the file has it."""
    pixels: int
    pixel: tuple[int, int]


class Observation(NamedTuple):
    """One sample as it was found."""

    sample: int
    faults: list[Fault]
    """Those that this sample shows by itself."""
    size: tuple[int, int]
    """(height, width) of the picture; zeros if it cannot be read."""
    values: NDArray[np.int64]
    """The values of the mask, as class indices; none if it holds no indices."""
    counts: NDArray[np.int64]
    """How many pixels have each."""
    strays: list[Stray]
    picture_hash: int
    mask_hash: int
    thumbnail: NDArray[np.uint8]
    """uint8 [96, 96], grey; empty if the picture cannot be read."""
    edges: Edges | None
    """None where there is nothing to compare."""


def observe(dataset: SegmentationDataset, sample: int) -> Observation:
    """Look at one sample; whatever is wrong with it becomes a fault and no exception."""
    try:
        if isinstance(dataset, PairedFiles) and dataset.read is read_mask:
            return _observe_files(dataset, sample)
        image, mask, _ = dataset[sample]
    except AtrousError as error:
        return _without_indices(sample, _refused(dataset, sample, error), np.zeros((0, 0, 3), np.uint8))
    return _observe_pair(sample, image, PictureAsIs(mask, "PNG", None), {}, dataset.labels, 1)


def _observe_files(dataset: PairedFiles, sample: int) -> Observation:
    pair = dataset.pairs[sample]
    image, file = read_image(pair.image), read_as_is(pair.mask)
    return _observe_pair(sample, image, file, dataset.values, dataset.labels, read_orientation(pair.image))


def _refused(dataset: SegmentationDataset, sample: int, error: AtrousError) -> Fault:
    """What the reader of a data set says, as a fault."""
    kind = "unreadable"
    if isinstance(dataset, PairedFiles) and isinstance(dataset.read, MaskValues):
        with suppress(AtrousError):
            dataset.read.read(dataset.pairs[sample].mask)
            kind = "unknown-value"  # for it can be read, but one of its values has no meaning
    if isinstance(error, MaskError) and "but its picture" in str(error):
        kind = "sizes-differ"
    return Fault(kind, str(error), TAKEN_OUT, None)


def _without_indices(sample: int, fault: Fault, image: NDArray[np.uint8]) -> Observation:
    nothing = np.zeros(0, np.int64)
    size = (image.shape[0], image.shape[1])
    return Observation(
        sample, [fault], size, nothing, nothing, [], _hash(image) if image.size else 0, 0, _thumbnail(image), None
    )


def _observe_pair(
    sample: int, image: NDArray[np.uint8], file: PictureAsIs, meanings: dict[int, int], labels: LabelSpace, lies: int
) -> Observation:
    fault = fault_of(file, labels, meanings)
    if file.pixels.ndim == 3 or (fault and fault.kind != "invented-values"):
        assert fault is not None
        return _without_indices(sample, fault, image)
    mask = remap(file.pixels, meanings)
    faults = [found for found in (fault, _wrong_size(image, mask, lies)) if found]
    fits = mask.shape == image.shape[:2]
    edges = edges_of(image, mask) if fits else None
    if edges and lies != 1 and _fits_turned(image, mask, lies, edges):
        faults.append(_lies(lies))
    table = np.bincount(mask.ravel())
    values = np.flatnonzero(table)
    strays = [] if fault else _strays(file.pixels, mask, table, labels)
    return Observation(
        sample, faults, (image.shape[0], image.shape[1]), values, table[values], strays,
        _hash(image), _hash(mask), _thumbnail(image), edges if not faults else None,
    )  # fmt: skip


def _strays(raw: Mask, mask: Mask, table: NDArray[np.intp], labels: LabelSpace) -> list[Stray]:
    strays = (v for v in np.flatnonzero(table) if v >= labels.num_classes and v != labels.ignore_index)
    return [_stray(raw, mask, int(value), int(table[value])) for value in strays]


def _stray(raw: Mask, mask: Mask, value: int, count: int) -> Stray:
    x, y = pixel_of(mask, value)
    return Stray(int(raw[y, x]), count, (x, y))


def _wrong_size(image: NDArray[np.uint8], mask: Mask, lies: int) -> Fault | None:
    height, width = image.shape[:2]
    if mask.shape == (height, width):
        return None
    if lies in ON_ITS_SIDE and mask.shape == (width, height):
        return _lies(lies)
    what = f"is {mask.shape[1]}x{mask.shape[0]}, but its picture is {width}x{height} (width x height)"
    same_shape = abs(mask.shape[0] * width - mask.shape[1] * height) <= 0.01 * mask.shape[0] * width
    if same_shape:
        repair = "the mask gets the picture's size, to the nearest pixel"
        return Fault("sizes-differ", what, repair, Resize((height, width)))
    return Fault("sizes-differ", what, f"{TAKEN_OUT}: its two files are no pair", None)


def _fits_turned(image: NDArray[np.uint8], mask: Mask, lies: int, edges: Edges) -> bool:
    """Whether a mask of the right size agrees better with its picture when it is turned as the picture is."""
    other = turned(mask, lies)
    if other.shape != mask.shape:
        return False
    gain = agreement(edges.picture, edges_of(image, other).mask) - agreement(*edges)
    return gain > FITS_BETTER


def _lies(lies: int) -> Fault:
    what = f"lies as the stored pixels of its picture, which EXIF turns (orientation {lies})"
    return Fault("exif-rotation", what, "the mask is turned as the picture is", Turn(lies))


def _hash(pixels: NDArray[np.uint8 | np.uint16]) -> int:
    """64 bits of a hash of size and values."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest(), "little")


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not image.size:
        return np.zeros((0, 0), np.uint8)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small: NDArray[np.uint8] = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return small
