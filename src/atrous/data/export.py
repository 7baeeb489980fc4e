"""Whole data sets as polygons in the formats of annotation tools, with their pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, assert_never

from atrous.data.labelled import LabelledImage
from atrous.data.polygons import DEFAULT_TOLERANCE
from atrous.data.samples import SegmentationDataset, require_same_classes
from atrous.data.to_coco import write_coco
from atrous.data.to_cvat import write_cvat
from atrous.data.to_labelme import write_labelme, write_labels
from atrous.errors import OutputError
from atrous.files import make_folder
from atrous.images import write_image
from atrous.progress import Progress, Silent, track

ExportFormat = Literal["cvat", "labelme", "coco"]


def export_dataset(
    datasets: Sequence[SegmentationDataset],
    folder: Path,
    kind: ExportFormat,
    tolerance: float = DEFAULT_TOLERANCE,
    progress: Progress | None = None,
) -> None:
    """Write splits of one data set with their pictures, as PNG, and their masks as polygons.

    Args:
        datasets: The splits, which have the same classes.
        folder: An empty folder, or one that is not there yet.
        kind: The format.
        tolerance: How far outlines may leave the sides of pixels, in pixels.
        progress: Where the pictures are counted.

    Raises:
        OutputError: If the place cannot be written or is not empty.
        DatasetError: If the splits have other classes.
        AtrousError: If a sample cannot be read.
    """
    require_same_classes(datasets)
    if any(make_folder(folder).iterdir()):
        raise OutputError(f"{folder} is not empty, so that files of two data sets could be mixed: give another folder.")
    title, labels, shown = datasets[0].title, datasets[0].labels, progress or Silent()
    match kind:
        case "cvat":
            everything = (
                image for data in datasets for image in _pictures_written(data, folder / "images" / data.split, shown)
            )
            write_cvat(folder / "annotations.xml", title, everything, labels, tolerance)
        case "labelme":
            write_labels(folder, labels)
            for data in datasets:
                for image in _pictures_written(data, folder / data.split, shown):
                    path = (folder / data.split / image.name).with_suffix(".json")
                    write_labelme(path, image, labels, tolerance)
        case "coco":
            for data in datasets:
                images = _pictures_written(data, folder / data.split, shown)
                write_coco(folder / f"annotations/instances_{data.split}.json", title, images, labels, tolerance)
        case _:
            assert_never(kind)


def _pictures_written(dataset: SegmentationDataset, folder: Path, progress: Progress) -> Iterator[LabelledImage]:
    """Write each picture, then hand over its name and mask."""
    for index in track(range(len(dataset)), progress, f"Writing {dataset.split}", len(dataset)):
        sample = dataset[index]
        name = f"{sample.name}.png"
        write_image(folder / name, sample.image)
        yield LabelledImage(name, sample.mask, dataset.split)
