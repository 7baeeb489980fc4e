"""Pictures annotated by shapes: masks are drawn when a sample is asked for, by a stated rule where shapes overlap."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from atrous.data.classes import Classes
from atrous.data.rasterizing import Bitmap, Polygon, fill
from atrous.data.samples import Sample, SegmentationDataset
from atrous.errors import DatasetError, MaskError
from atrous.images import ReadableFile, read_image, read_size
from atrous.labels import Mask
from atrous.progress import Progress, Silent, track

ON_THE_GROUND = -1
"""The layer of areas that give way to every shape."""


class Shape(NamedTuple):
    """One annotated object."""

    label: int
    """Its class index, or the ignore value."""
    polygons: Sequence[Polygon] = ()
    """Their union is the object."""
    bitmap: Bitmap | None = None
    """The object's pixels where it is no polygon."""
    layer: int = 0
    """What is in a higher layer lies above what is in a lower one, whatever the order of drawing."""

    def pixels(self, size: tuple[int, int]) -> Bitmap:
        """The pixels of the object in a picture of (height, width)."""
        return fill(self.polygons, size) if self.bitmap is None else self.bitmap.within(size)


class Annotation(NamedTuple):
    """What is said of one picture."""

    name: str
    """The picture's name, without suffix; no two in a split are the same."""
    image: ReadableFile
    shapes: Sequence[Shape]
    """In the order of drawing."""
    size: tuple[int, int] | None = None
    """(height, width) of the picture that was annotated, where the annotation tells it."""
    passed_over: int = 0
    """How many objects have no area: points, lines, tags."""


class Annotations(Protocol):
    """The annotations of a split, each read when it is asked for."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def __getitem__(self, index: int, /) -> Annotation:
        """Read one.

        Raises:
            DatasetError: If it is damaged, names no picture that is there, or has an unknown label.
        """

    def source_of(self, index: int) -> str:
        """Where it stands, for messages."""

    def content_of(self, index: int) -> bytes:
        """Its bytes, for the fingerprint."""


class Drawing(NamedTuple):
    """A mask and what it does not show."""

    mask: Mask
    overwritten: int
    """Pixels that a shape of another class had claimed before."""
    passed_over: int
    """Objects without an area."""


class AnnotatedImages(SegmentationDataset):
    """A split whose masks are drawn from shapes."""

    def __init__(self, title: str, split: str, classes: Classes, annotations: Annotations) -> None:
        """Take the annotations as they are; nothing is read yet.

        Raises:
            DatasetError: If there are none.
        """
        if not len(annotations):
            raise DatasetError(f"The split {split} of {title} is empty: pictures with annotations were expected.")
        self.title, self.split, self.labels = title, split, classes.labels
        self.classes, self.annotations = classes, annotations

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        annotation = self.annotations[index]
        image = read_image(annotation.image)
        size = (image.shape[0], image.shape[1])
        self._require_size(index, annotation, size)
        return Sample(image, draw(annotation, size, self.classes).mask, annotation.name)

    def source_of(self, index: int) -> str:
        """The file of the annotation."""
        return self.annotations.source_of(index)

    def picture_of(self, index: int) -> ReadableFile:
        """The file of the picture."""
        return self.annotations[index].image

    def drawing(self, index: int) -> Drawing:
        """The mask of a sample, with what it does not show; the picture's pixels are not read.

        Raises:
            DatasetError, ImageError, MaskError: As for a sample.
        """
        annotation = self.annotations[index]
        size = read_size(annotation.image)
        self._require_size(index, annotation, size)
        return draw(annotation, size, self.classes)

    def overwritten(self, index: int) -> int:
        """How many pixels of a sample show one class and were claimed by another one, too."""
        return self.drawing(index).overwritten

    def overwritten_in_all(self, progress: Progress | None = None) -> int:
        """The same, summed over the split."""
        indices = track(range(len(self)), progress or Silent(), f"Drawing {self.split}", len(self))
        return sum(self.overwritten(index) for index in indices)

    def fingerprint(self) -> str:
        """SHA-256 over the classes, the rule of overlaps, and the bytes of all pictures and annotations.

        Raises:
            DatasetError: If a file cannot be read.
        """
        digest = hashlib.sha256(repr(self.classes).encode())
        for index in range(len(self)):
            annotation = self.annotations[index]
            digest.update(annotation.name.encode(errors="surrogateescape"))
            digest.update(hashlib.sha256(_bytes_of(annotation.image)).digest())
            digest.update(hashlib.sha256(self.annotations.content_of(index)).digest())
        return digest.hexdigest()[:16]

    def _require_size(self, index: int, annotation: Annotation, size: tuple[int, int]) -> None:
        if annotation.size not in (None, size):
            height, width = annotation.size or size
            raise MaskError(
                f"{self.source_of(index)} was made for a picture of {width}x{height}, but {annotation.image} is "
                f"{size[1]}x{size[0]} (width x height): give the picture that was annotated."
            )


def draw(annotation: Annotation, size: tuple[int, int], classes: Classes) -> Drawing:
    """Draw all shapes of a picture, each over those before it in the order that the rule of overlaps gives.

    Args:
        annotation: The shapes.
        size: (height, width) of the picture.
        classes: Whose background fills what no shape covers.
    """
    mask = np.full(size, classes.background, classes.labels.mask_dtype)
    claimed, lost = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    areas = [shape.pixels(size) for shape in annotation.shapes]
    for index in _bottom_to_top(annotation.shapes, areas, classes):
        bits, top, left = areas[index]
        window = np.s_[top : top + bits.shape[0], left : left + bits.shape[1]]
        lost[window] |= bits & claimed[window] & (mask[window] != annotation.shapes[index].label)
        claimed[window] |= bits
        mask[window][bits] = annotation.shapes[index].label
    return Drawing(mask, int(lost.sum()), annotation.passed_over)


def _bottom_to_top(shapes: Sequence[Shape], areas: Sequence[Bitmap], classes: Classes) -> list[int]:
    """The order in which shapes are drawn; Python's sorting keeps the order of those that are equal."""

    def height(index: int) -> tuple[int, ...]:
        shape = shapes[index]
        above_ground = int(shape.layer > ON_THE_GROUND)
        match classes.overlap:
            case "drawing_order":
                return above_ground, shape.layer
            case "smaller_on_top":
                return above_ground, -int(areas[index].bits.sum())
            case "class_priority":
                return above_ground, classes.rank(shape.label), shape.layer

    return sorted(range(len(shapes)), key=height)


def box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    """The ring of a rectangle whose sides run along the pixels'."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def ellipse(x: float, y: float, across: float, down: float) -> NDArray[np.float64]:
    """The ring of an ellipse with its centre and its two radii, within a tenth of a pixel.

    The distance of a chord from its arc is at most r (1 - cos(pi / n)), about r pi² / (2 n²).
    """
    corners = int(np.clip(np.pi * np.sqrt(max(across, down, 1) / 0.2), 16, 4096))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack((x + across * np.cos(angles), y + down * np.sin(angles)), axis=1)


def turned(ring: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Turn a ring clockwise, as it is seen, around the middle of the box that it spans."""
    middle = (ring.min(axis=0) + ring.max(axis=0)) / 2
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    around: NDArray[np.float64] = (ring - middle) @ np.array([[cosine, sine], [-sine, cosine]]) + middle
    return around


def _bytes_of(file: ReadableFile) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror or error}): put the file back.") from None
