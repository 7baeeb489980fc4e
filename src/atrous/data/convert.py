"""Any data set becomes a folder in our own format, which every command reads and people can look into."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from atrous.data.annotations import AnnotatedImages
from atrous.data.folder import write_description
from atrous.data.samples import Sample, SegmentationDataset, require_known_labels, require_same_classes
from atrous.errors import DatasetError, OutputError
from atrous.files import cannot_write, make_folder, replacing, write_text
from atrous.images import ReadableFile, write_image, write_mask
from atrous.picture_paths import images_below
from atrous.progress import Progress, Silent

STARTED = ".converting.json"
"""Beside what is written, until all is: what is being converted."""

KEPT_AS_THEY_ARE = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"))
"""How files begin that are copied byte for byte, and their suffix."""


class WrittenSplit(NamedTuple):
    """What became of a split."""

    split: str
    pictures: int
    overwritten: int | None
    """Pixels that shapes of several classes had claimed; none where the data set does not tell."""
    passed_over: int = 0
    """Annotated objects without an area: boxes, lines, points."""


def convert_dataset(
    datasets: Sequence[SegmentationDataset], folder: Path, source: str, progress: Progress | None = None
) -> list[WrittenSplit]:
    """Write the splits of a data set as `images/<split>`, `masks/<split>` and `dataset.yaml`.

    JPEG and PNG pictures are copied byte for byte, all others become PNG. An interrupted conversion goes on where it
    was, if it is started again with the same source. `dataset.yaml` comes last: a folder that has one is whole.

    Args:
        datasets: The splits, which have the same classes.
        folder: Empty, not there yet, or with an interrupted conversion of the same source.
        source: What is converted, with all choices.
        progress: Where the pictures are counted.

    Raises:
        OutputError: If the place cannot be written or holds something else.
        DatasetError: If the splits have other classes.
        MaskError: If a mask holds a label of no class.
        AtrousError: If a sample cannot be read.
    """
    shown = progress or Silent()
    require_same_classes(datasets)
    _start(folder, datasets, source)
    written = [_write_split(dataset, folder, shown) for dataset in datasets]
    write_description(folder, datasets[0].title, datasets[0].labels, [dataset.split for dataset in datasets])
    (folder / STARTED).unlink()
    return written


def _start(folder: Path, datasets: Sequence[SegmentationDataset], source: str) -> None:
    """Note what is converted; a folder with files is refused, unless it is noted there already."""
    note = json.dumps([source, datasets[0].labels.names, [(dataset.split, len(dataset)) for dataset in datasets]])
    try:
        entries = sorted(path.name for path in make_folder(folder).iterdir())
        same = STARTED in entries and (folder / STARTED).read_text(encoding="utf-8") == note
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_write(folder, error if isinstance(error, OSError) else OSError(str(error))) from None
    if STARTED in entries and not same:
        raise OutputError(
            f"{folder} holds the beginning of another conversion: run that one to its end, or give another folder."
        )
    if entries and not same:
        raise OutputError(
            f"{folder} is not empty ({entries[0]}), so that files of two data sets could be mixed: give another "
            "folder, or add to the data set in it (`atrous data convert` with --add)."
        )
    write_text(folder / STARTED, note)


def _write_split(dataset: SegmentationDataset, folder: Path, progress: Progress) -> WrittenSplit:
    images, masks = folder / "images" / dataset.split, folder / "masks" / dataset.split
    done = len(images_below(masks))  # masks are written after their pictures, one after the other, each whole
    overwritten = passed_over = 0
    with progress.task(f"Writing {dataset.split}", len(dataset), done) as task:
        for index in range(len(dataset)):
            if isinstance(dataset, AnnotatedImages):
                drawing = dataset.drawing(index)
                overwritten += drawing.overwritten
                passed_over += drawing.passed_over
            if index < done:
                continue
            sample = dataset[index]
            require_known_labels(dataset, index, sample)
            write_picture(images, sample, dataset.picture_of(index))
            write_mask(masks / f"{sample.name}.png", sample.mask, dataset.labels)
            task.advance()
    told = overwritten if isinstance(dataset, AnnotatedImages) else None
    return WrittenSplit(dataset.split, len(dataset), told, passed_over)


def write_picture(folder: Path, sample: Sample, file: ReadableFile | None) -> None:
    """Write the picture of a sample: the bytes of its file if that is a JPEG or PNG, else a PNG.

    Raises:
        OutputError: If the place cannot be written.
        DatasetError: If the file cannot be read.
    """
    content = b"" if file is None else _content(file)
    for beginning, suffix in KEPT_AS_THEY_ARE:
        if content.startswith(beginning):
            with replacing(folder / f"{sample.name}{suffix}", flush=False) as temporary:
                temporary.write_bytes(content)
            return
    write_image(folder / f"{sample.name}.png", sample.image)


def _content(file: ReadableFile) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read ({error.strerror or error}): put the file back.") from None
