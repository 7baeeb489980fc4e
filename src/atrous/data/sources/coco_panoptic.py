"""COCO's panoptic segmentation: a picture per picture whose colours number segments, and a JSON with their categories.

Source: cocodataset.org, "Data format", "Panoptic segmentation": a segment's id is R + 256 G + 65536 B; 0 is unlabelled.
"""

import hashlib
import posixpath
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atrous.data.classes import ListedClass, ShapeChoices, classes_of
from atrous.data.file_tree import FileTree
from atrous.data.json_sections import NO_NUMBER, Section
from atrous.data.names import Names
from atrous.data.opening import open_tree
from atrous.data.pictures import find_picture
from atrous.data.records import Record, checked
from atrous.data.samples import Sample, SegmentationDataset
from atrous.data.sources.coco import find_file, picture_paths, read_categories, read_sections, split_files
from atrous.data.split_names import usual_name
from atrous.errors import DatasetError, MaskError
from atrous.images import ReadableFile, read_image
from atrous.labels import Mask
from atrous.picture_paths import unique_stems

UNLABELLED = 0
"""The id of what belongs to no segment."""


class CocoPanopticConfig(ShapeChoices):
    """COCO's panoptic segmentation.

    The classes are its categories, things and stuff, in the order of their ids. Crowds and what is unlabelled are
    ignored. Segments do not overlap.
    """

    kind: Literal["coco-panoptic"] = "coco-panoptic"
    root: Path
    """The folder or archive with `annotations/panoptic_<split>.json` and a folder of that name with PNG files."""
    background: str | None = None
    """The class of what belongs to no segment; None ignores it."""


class PanopticSegment(Record):
    """An entry of `segments_info`."""

    id: int
    category_id: int
    iscrowd: int = 0


class PanopticEntry(Record):
    """An entry of `annotations`."""

    file_name: str
    segments_info: tuple[PanopticSegment, ...]


class PanopticImages(SegmentationDataset):
    """A split of panoptic segmentation."""

    def __init__(self, title: str, split: str, tree: FileTree, file: str, config: CocoPanopticConfig) -> None:
        """Read the list of pictures; each entry is read when it is asked for.

        Raises:
            DatasetError: If it is damaged, or a picture is missing.
            ConfigError: If a choice names what is no class.
        """
        sections = read_sections(tree, file, ("images", "annotations", "categories"))
        self.title, self.split = title, split
        self._tree, self._images, self._entries = tree, sections["images"], sections["annotations"]
        self._source = self._images.content.source
        categories = read_categories(sections["categories"])
        self._classes = classes_of([ListedClass(name=c.name, color=c.color) for c in categories], config, self._source)
        self._meanings = {c.id: self._classes.meaning(c.name, self._source) for c in categories}
        self.labels = self._classes.labels
        self._pictures = picture_paths(tree, self._images, file, split)
        self._names = Names(unique_stems([Path(path) for path in self._pictures]))
        self._places = _entries_of(self._images, self._entries)
        self._folders = _mask_folders(file)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entry(index)
        path = find_picture(self._tree, entry.file_name, self._folders, (), self._source)
        colors, image = read_image(self._tree.file(path)), read_image(self._tree.file(self._pictures[index]))
        if colors.shape != image.shape:
            raise MaskError(
                f"{self._tree.file(path)} is {colors.shape[1]}x{colors.shape[0]}, but its picture is "
                f"{image.shape[1]}x{image.shape[0]} (width x height): give the masks of these pictures."
            )
        ids = colors.astype(np.int64) @ np.array([1, 256, 65536])
        return Sample(image, self._mask(ids, entry, str(self._tree.file(path))), self._names[index])

    def source_of(self, index: int) -> str:
        """The PNG of the segments."""
        return str(
            self._tree.file(find_picture(self._tree, self._entry(index).file_name, self._folders, (), self._source))
        )

    def picture_of(self, index: int) -> ReadableFile:
        """The file of the picture."""
        return self._tree.file(self._pictures[index])

    def fingerprint(self) -> str:
        """SHA-256 over the classes and the bytes of all pictures, segments and entries.

        Raises:
            DatasetError: If a file cannot be read.
        """
        digest = hashlib.sha256(repr(self._classes).encode())
        for index in range(len(self)):
            mask = find_picture(self._tree, self._entry(index).file_name, self._folders, (), self._source)
            for content in (
                self._names[index].encode(errors="surrogateescape"),
                self._tree.read(self._pictures[index]),
                self._tree.read(mask),
                self._entries.raw(int(self._places[index])),
            ):
                digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]

    def _entry(self, index: int) -> PanopticEntry:
        return checked(PanopticEntry, self._entries.read(int(self._places[index])), self._source)

    def _mask(self, ids: NDArray[np.int64], entry: PanopticEntry, source: str) -> Mask:
        known = {UNLABELLED: self._classes.background}
        for segment in entry.segments_info:
            if segment.category_id not in self._meanings:
                raise DatasetError(
                    f"{self._source} has a segment of the category {segment.category_id}, which is not in "
                    "`categories`: export it again."
                )
            meaning = self._meanings[segment.category_id]
            known[segment.id] = self.labels.ignore_index if segment.iscrowd else meaning
        present, places = np.unique(ids, return_inverse=True)
        strangers = [int(number) for number in present if int(number) not in known]
        if strangers:
            row, column = np.argwhere(ids == strangers[0])[0]
            raise MaskError(
                f"{source} has the segment {strangers[0]} at x {column}, y {row}, which `segments_info` of "
                f"{self._source} does not list: give the PNG files of this JSON."
            )
        values = np.array([known[int(number)] for number in present], np.uint16)
        return values[places.reshape(ids.shape)].astype(self.labels.mask_dtype)


def coco_panoptic(config: CocoPanopticConfig, split: str) -> SegmentationDataset:
    """Open one split of COCO's panoptic segmentation.

    Raises:
        DatasetNotFoundError: If there is none.
        DatasetError: If it is damaged, has no such split, or a picture is missing.
        ConfigError: If a choice names what is no class.
    """
    tree = open_tree(config.root)
    return PanopticImages(config.root.stem, split, tree, find_file(tree, split, "panoptic"), config)


def coco_panoptic_splits(config: CocoPanopticConfig) -> tuple[str, ...]:
    """The splits that there are, by our names."""
    return tuple(sorted({usual_name(name) for name in split_files(open_tree(config.root), "panoptic")}))


def _entries_of(images: Section, entries: Section) -> NDArray[np.int64]:
    """Which entry is that of each picture: there must be one for each, and no other."""
    numbers = np.sort(images.ids), np.sort(entries.image_ids)
    if (images.ids == NO_NUMBER).any() or not np.array_equal(*numbers) or len(np.unique(images.ids)) < len(images):
        raise DatasetError(
            f"{images.content.source} has {len(images)} images and {len(entries)} annotations that are not one of "
            "each: `id` and `image_id` must pair them. Get a whole copy."
        )
    order = np.argsort(entries.image_ids)
    return order[np.searchsorted(entries.image_ids[order], images.ids)]


def _mask_folders(file: str) -> list[str]:
    around, stem = posixpath.dirname(file), posixpath.splitext(posixpath.basename(file))[0]
    return [posixpath.join(around, stem), posixpath.join(posixpath.dirname(around), stem), around]
