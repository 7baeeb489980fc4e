"""Pictures of another data set join a folder in our own format: new ones, and those whose labels were corrected."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from atrous.config import nearest
from atrous.data.convert import write_picture
from atrous.data.folder import FolderDescription, read_description, write_description
from atrous.data.samples import Sample, SegmentationDataset, remap, require_known_labels
from atrous.errors import DatasetError
from atrous.images import read_image, read_mask, write_mask
from atrous.labels import LabelSpace
from atrous.picture_paths import images_below
from atrous.progress import Progress, Silent, track

EVERYTHING = "all"
"""What the split of a data set without splits is called; its pictures are for training."""
SIZES = re.compile(r" \((divided anew|grown to): .*\)$")
"""The end of a title that says how many pictures there were."""


class Added(NamedTuple):
    """What became of the pictures of a split."""

    split: str
    new: int
    corrected: int
    """Pictures that were there with other labels; the newer ones hold now."""
    unchanged: int


class Place(NamedTuple):
    """Where a picture lies in the folder, and its mask if it has one."""

    split: str
    picture: Path
    mask: Path | None


def add_to_folder(
    datasets: Sequence[SegmentationDataset], folder: Path, progress: Progress | None = None
) -> list[Added]:
    """Add the splits of a data set to the same splits of a folder; classes are matched by their names.

    A picture that the folder holds already gets the new labels, in the split where it is. What has no splits (`all`)
    goes into `train`, unless the folder has a split `all`. Interrupted, it can be run again: what is there is found.

    Args:
        datasets: The splits, which may have fewer classes than the folder, in any order.
        folder: With a `dataset.yaml` whose classes have no values of their own.
        progress: Where the pictures are counted.

    Returns:
        What happened, split by split as they were given.

    Raises:
        DatasetError: If a class or a split is not known there, or another picture has the same name.
        AtrousError: If the folder or a sample cannot be read, or the place cannot be written.
    """
    description = read_description(folder)
    _require_plain_values(description, folder)
    places = _places(folder, description.splits)
    splits = [_split_for(dataset, description, folder) for dataset in datasets]
    meanings = [_meanings(dataset, description.labels, folder) for dataset in datasets]
    _require_same_pictures(datasets, places)
    shown = progress or Silent()
    added = [
        _add(dataset, folder, split, meaning, places, description.labels, shown)
        for dataset, split, meaning in zip(datasets, splits, meanings, strict=True)
    ]
    if any(one.new for one in added):
        title = _title(description.name, folder, description.splits)
        write_description(folder, title, description.labels, description.splits)
    return added


def _require_plain_values(description: FolderDescription, folder: Path) -> None:
    if any(value != meaning for value, meaning in description.meanings.items()):
        raise DatasetError(
            f"The dataset.yaml of {folder} gives classes values of their own: convert it to a new folder first, and "
            "add to that one."
        )


def _places(folder: Path, splits: Sequence[str]) -> dict[str, Place]:
    """Every picture of the folder by its name."""
    places = {}
    for split in splits:
        masks = {path.stem: path for path in images_below(folder / "masks" / split)}
        for path in images_below(folder / "images" / split):
            places[path.stem] = Place(split, path, masks.get(path.stem))
    return places


def _split_for(dataset: SegmentationDataset, description: FolderDescription, folder: Path) -> str:
    split = dataset.split
    if split == EVERYTHING and split not in description.splits:
        split = "train"
    if split not in description.splits:
        raise DatasetError(f"{folder} has no split `{split}` to add to: {nearest(split, description.splits)}.")
    return split


def _meanings(dataset: SegmentationDataset, labels: LabelSpace, folder: Path) -> dict[int, int]:
    """The class of the folder, or its ignore value, for each value of the new masks that differs."""
    for name in dataset.labels.names:
        if name not in labels.names:
            raise DatasetError(
                f"{dataset.title} has a class {name!r} that {folder} has not (there is {', '.join(labels.names)}): "
                f"rename it; or, where it is what no shape covers, say background={labels.names[0]}, the name of "
                "another class, or background=null to ignore that."
            )
    meanings = {number: labels.names.index(name) for number, name in enumerate(dataset.labels.names)}
    return meanings | {dataset.labels.ignore_index: labels.ignore_index}


def _require_same_pictures(datasets: Sequence[SegmentationDataset], places: Mapping[str, Place]) -> None:
    """Refuse a new picture under a name that is taken, before anything is written."""
    for dataset in datasets:
        for index in range(len(dataset)):
            sample = dataset[index]
            place = places.get(sample.name)
            if place and not np.array_equal(read_image(place.picture), sample.image):
                raise DatasetError(
                    f"{place.picture} is another picture than {sample.name} of {dataset.title}: rename one of them, "
                    "since pictures are known by their names."
                )


def _add(
    dataset: SegmentationDataset,
    folder: Path,
    split: str,
    meanings: Mapping[int, int],
    places: Mapping[str, Place],
    labels: LabelSpace,
    progress: Progress,
) -> Added:
    new = corrected = unchanged = 0
    for index in track(range(len(dataset)), progress, f"Adding to {split}", len(dataset)):
        sample = dataset[index]
        require_known_labels(dataset, index, sample)
        sample = sample._replace(mask=remap(sample.mask, meanings))
        place = places.get(sample.name)
        if place is None or place.mask is None:
            within = place.split if place else split
            write_mask(folder / "masks" / within / f"{sample.name}.png", sample.mask, labels)
            if place is None:  # the picture last, so that what was interrupted is taken for new
                write_picture(folder / "images" / within, sample, dataset.picture_of(index))
            new += 1
        elif np.array_equal(read_mask(place.mask), sample.mask):
            unchanged += 1
        else:
            _correct(place.mask, sample, labels)
            corrected += 1
    return Added(split, new, corrected, unchanged)


def _correct(mask: Path, sample: Sample, labels: LabelSpace) -> None:
    """Put the new mask in the place of the old one, which may have been no PNG."""
    write_mask(mask.with_suffix(".png"), sample.mask, labels)
    if mask.suffix != ".png":
        mask.unlink()


def _title(title: str, folder: Path, splits: Sequence[str]) -> str:
    """The title with the sizes that the splits have now, for no other numbers compare with theirs."""
    counts = ", ".join(f"{len(images_below(folder / 'images' / split))} {split}" for split in splits)
    return f"{SIZES.sub('', title)} (grown to: {counts})"
