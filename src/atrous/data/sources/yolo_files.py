"""The text files of YOLO: one line per object."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from atrous.data.annotations import Annotation, Shape
from atrous.data.classes import Classes
from atrous.data.file_tree import FileTree
from atrous.data.names import Names
from atrous.errors import DatasetError
from atrous.images import read_size

OUTSIDE = 0.01
"""By how much a coordinate may leave 0..1: programs round."""


@dataclass(frozen=True)
class YoloFiles:
    """The pictures of a split, with their text files."""

    tree: FileTree
    pictures: Names
    names: Names
    labels: Mapping[int, str]
    """The name of each number."""
    classes: Classes

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Annotation:
        picture = self.tree.file(self.pictures[index])
        height, width = read_size(picture)
        text = label_file(self.pictures[index])
        lines = self.tree.read_text(text).splitlines() if self.tree.has_file(text) else []
        shapes = [self._shape(line, (width, height), self.source_of(index)) for line in lines if line.strip()]
        return Annotation(self.names[index], picture, shapes)

    def source_of(self, index: int) -> str:
        """The text file."""
        return str(self.tree.file(label_file(self.pictures[index])))

    def content_of(self, index: int) -> bytes:
        """Its bytes; none for a picture without objects, which needs no such file."""
        text = label_file(self.pictures[index])
        return self.tree.read(text) if self.tree.has_file(text) else b""

    def _shape(self, line: str, scale: tuple[int, int], source: str) -> Shape:
        number, *values = line.split()
        try:
            name = self.labels[int(number)]
            ring = np.array([float(value) for value in values], np.float64)
        except (ValueError, KeyError):
            raise DatasetError(
                f"{source} has a line that starts `{line[:40]}`: a class of data.yaml (up to "
                f"{max(self.labels, default=0)}) and the corners of a polygon were expected."
            ) from None
        if len(ring) < 6 or len(ring) % 2:
            what = "the box of a detector" if len(ring) == 4 else f"{len(ring)} numbers"
            raise DatasetError(
                f"{source} has a line with {what} where the corners of a polygon were expected: give labels of the "
                "segmentation task."
            )
        if not ((ring >= -OUTSIDE) & (ring <= 1 + OUTSIDE)).all():
            raise DatasetError(
                f"{source} has a corner outside of 0..1: coordinates are shares of the picture's width and height."
            )
        return Shape(self.classes.meaning(name, source), [[ring.reshape(-1, 2) * scale]])


def label_file(picture: str) -> str:
    """The text file of a picture: its last folder `images` is called `labels` there."""
    before, found, behind = f"/{picture}".rpartition("/images/")
    path = f"{before}/labels/{behind}" if found else f"/{picture}"
    return posixpath.splitext(path)[0].lstrip("/") + ".txt"
