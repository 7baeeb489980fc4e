"""Annotations of which each picture has a file of its own."""

from collections.abc import Callable
from dataclasses import dataclass

from atrous.data.annotations import Annotation
from atrous.data.file_tree import FileTree
from atrous.data.names import Names


@dataclass(frozen=True)
class AnnotationFiles:
    """The annotation files of a split."""

    tree: FileTree
    files: Names
    """The path of each."""
    names: Names
    """How the samples are called."""
    read: Callable[[FileTree, str, str], Annotation]
    """Reads a file of the tree, given its path and the sample's name."""

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Annotation:
        return self.read(self.tree, self.files[index], self.names[index])

    def source_of(self, index: int) -> str:
        """The file of the annotation."""
        return str(self.tree.file(self.files[index]))

    def content_of(self, index: int) -> bytes:
        """Its bytes; none where the file is not there, as for a picture of YOLO without objects."""
        return self.tree.read(self.files[index]) if self.tree.has_file(self.files[index]) else b""
