"""What annotations made of shapes leave out: pictures without any, and objects without an area."""

import posixpath
from collections.abc import Iterator, Sequence

from atrous.data.annotations import AnnotatedImages
from atrous.data.faults.finding import Finding
from atrous.data.file_tree import FileTree
from atrous.data.pictures import is_picture
from atrous.errors import AtrousError


def find_left_out(tree: FileTree, datasets: Sequence[AnnotatedImages]) -> Iterator[Finding]:
    """Look for what no mask will show, and no error tells.

    Args:
        tree: All files of the data set.
        datasets: All of its splits. Where one has an annotation that cannot be read, which is a fault of another kind,
            pictures without an annotation are not looked for.
    """
    named: set[str] | None = set()
    for dataset in datasets:
        pictures, passed_over = _named(dataset)
        named = named | pictures if named is not None and pictures is not None else None
        if passed_over:
            yield _without_area(dataset, passed_over)
    if named:
        yield from _unannotated(tree, named, ", ".join(dataset.split for dataset in datasets))


def _named(dataset: AnnotatedImages) -> tuple[set[str] | None, int]:
    """The pictures that the annotations name, none if one cannot be read, and the objects without an area."""
    pictures, passed_over, is_whole = set(), 0, True
    for index in range(len(dataset)):
        try:
            annotation = dataset.annotations[index]
        except AtrousError:
            is_whole = False
            continue
        pictures.add(str(annotation.image))
        passed_over += annotation.passed_over
    return pictures if is_whole else None, passed_over


def _without_area(dataset: AnnotatedImages, count: int) -> Finding:
    return Finding(
        kind="no-area",
        split=dataset.split,
        files=(),
        count=count,
        sentence=f"{count:,} annotated object{'s' * (count > 1)} of {dataset.split} ha{'ve' if count > 1 else 's'} no "
        "area (a box without an outline, a line or a point), so that no mask shows them.",
        repair="outline them, or take them for what they are",
    )


def _unannotated(tree: FileTree, named: set[str], splits: str) -> Iterator[Finding]:
    folders = {posixpath.dirname(picture) for picture in named}
    beside = (str(tree.file(name)) for name in tree.walk() if is_picture(name))
    lonely = sorted(path for path in beside if path not in named and posixpath.dirname(path) in folders)
    if lonely:
        more = f" and {len(lonely) - 1:,} more pictures have" if len(lonely) > 1 else " has"
        yield Finding(
            kind="unannotated",
            split=splits,
            files=tuple(lonely),
            count=len(lonely),
            sentence=f"{lonely[0]}{more} no annotation, so that no split shows them.",
            repair="annotate them; where nothing is to be seen, with no objects",
        )
