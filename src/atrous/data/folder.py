"""Our own format: `dataset.yaml` beside `images/<split>/` and `masks/<split>/`, paired by name."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from atrous.config import Config, nearest, parse, read_yaml
from atrous.data.file_tree import Folder
from atrous.data.samples import PairedFiles, SegmentationDataset, pair_by_stem
from atrous.errors import DatasetError, DatasetNotFoundError, OutputError
from atrous.files import write_text
from atrous.images import images_below, write_image, write_mask
from atrous.labels import Color, LabelSpace, voc_colors
from atrous.progress import Progress, Silent, track


class FolderConfig(Config):
    """A data set in our own format."""

    kind: Literal["folder"] = "folder"
    root: Path
    """The folder that holds `dataset.yaml`."""


class ClassEntry(Config):
    """One class of a data set; its place in the list is its value in the masks."""

    name: Annotated[str, Field(min_length=1)]
    color: Color | None = None


class FolderDescription(Config):
    """The content of `dataset.yaml`."""

    name: str
    classes: Annotated[tuple[ClassEntry, ...], Field(min_length=1)]
    ignore_index: Annotated[int, Field(ge=0, le=65535)] | None = None
    """The value in the masks that belongs to no class; by default 255, or 65535 where 255 is a class."""
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train", "val")

    @model_validator(mode="after")
    def _classes_make_a_label_space(self) -> Self:
        try:
            labels = self.labels
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        if self.ignore_index is not None and self.ignore_index < labels.num_classes:
            raise ValueError(
                f"`ignore_index` is {self.ignore_index}, which is also the class {labels.names[self.ignore_index]!r}; "
                f"give a value of no class, such as {labels.ignore_index}"
            )
        return self

    @property
    def labels(self) -> LabelSpace:
        """The classes; those without a colour get one."""
        fallback = voc_colors(len(self.classes))
        colors = tuple(entry.color or color for entry, color in zip(self.classes, fallback, strict=True))
        return LabelSpace(names=tuple(entry.name for entry in self.classes), colors=colors)


EXAMPLE_DESCRIPTION = "{name: my data, classes: [{name: background}, {name: road}], splits: [train, val]}"


def folder(config: FolderConfig, split: str) -> SegmentationDataset:
    """Open one split of a data set in our own format.

    Raises:
        DatasetNotFoundError: If the folder or its `dataset.yaml` is missing.
        DatasetError: If there is no such split, it is empty, or a file has no partner.
        ConfigError: If `dataset.yaml` holds something impossible.
    """
    root = config.root
    description = read_description(root)
    if split not in description.splits:
        raise DatasetError(f"{root} has no split `{split}`: {nearest(split, description.splits)}.")
    images, masks = root / "images" / split, root / "masks" / split
    for place in (images, masks):
        if not place.is_dir():
            raise DatasetNotFoundError(
                f"There is no folder {place}: it should hold the {place.parent.name} of {split}."
            )
    pairs = pair_by_stem(Folder(images), Folder(masks))
    labels = description.labels
    own = description.ignore_index
    meanings = {} if own in (None, labels.ignore_index) else {own: labels.ignore_index}
    return PairedFiles(description.name, split, labels, pairs, meanings)


def read_description(root: Path) -> FolderDescription:
    """Read `dataset.yaml` of a data set folder.

    Raises:
        DatasetNotFoundError: If the folder or the file is missing.
        ConfigError: If it holds something impossible.
    """
    path = root / "dataset.yaml"
    if not os.path.isdir(root):  # unlike Path.is_dir, it answers for names that are too long, too
        raise DatasetNotFoundError(f"There is no folder {root}: give the folder that holds the data set.")
    if not path.exists():
        raise DatasetNotFoundError(
            f"{root} holds no dataset.yaml: write one beside images/ and masks/, such as {EXAMPLE_DESCRIPTION}, "
            f"or name the data set's own layout, as in camvid:{root}."
        )
    description: FolderDescription = parse(FolderDescription, read_yaml(path), str(path))
    return description


def write_folder(root: Path, splits: Iterable[SegmentationDataset], progress: Progress | None = None) -> None:
    """Write data sets of one label space as the splits of one folder: PNG pictures, palette masks, `dataset.yaml`.

    `dataset.yaml` comes last: a folder that has one is whole.

    Raises:
        OutputError: If the place cannot be written, or holds pictures of another data set.
    """
    datasets = list(splits)
    title, labels = datasets[0].title, datasets[0].labels
    for dataset in datasets:
        what = f"Writing {dataset.split}"
        written = set()
        for index in track(range(len(dataset)), progress or Silent(), what, len(dataset)):
            sample = dataset[index]
            write_image(root / "images" / dataset.split / f"{sample.name}.png", sample.image)
            write_mask(root / "masks" / dataset.split / f"{sample.name}.png", sample.mask, labels)
            written.add(f"{sample.name}.png")
        for place in (root / "images" / dataset.split, root / "masks" / dataset.split):
            if others := [path for path in images_below(place) if path.name not in written]:
                raise OutputError(
                    f"{others[0]} is not of {title}, but would be taken for a part of it: give an empty folder."
                )
    description = FolderDescription(
        name=title,
        classes=tuple(ClassEntry(name=n, color=c) for n, c in zip(labels.names, labels.colors, strict=True)),
        ignore_index=labels.ignore_index,
        splits=tuple(dataset.split for dataset in datasets),
    )
    content = description.model_dump(mode="json")
    write_text(root / "dataset.yaml", yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
