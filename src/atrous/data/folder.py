"""Our own format: `dataset.yaml` beside `images/<split>/` and `masks/<split>/`, paired by name.

A folder without that file, or without splits, is understood as far as it is certain what is meant.
"""

import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from atrous.config import Config, nearest, parse, parse_yaml
from atrous.data.file_tree import FileTree
from atrous.data.layouts import Layout, find_layout
from atrous.data.mask_values import MaskValues
from atrous.data.opening import open_unwrapped
from atrous.data.pairs import ImageMaskPair, pair_by_stem
from atrous.data.proposals import propose_classes
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.seeded_split import stated
from atrous.errors import DatasetError, DatasetNotFoundError, OutputError
from atrous.files import write_text
from atrous.images import write_image, write_mask
from atrous.labels import Color, LabelSpace, voc_colors
from atrous.picture_paths import images_below
from atrous.progress import Progress, Silent, track

DESCRIPTION = "dataset.yaml"


class FolderConfig(Config):
    """A data set in our own format."""

    kind: Literal["folder"] = "folder"
    root: Path
    """The folder or archive that holds `dataset.yaml`, or pictures and masks alone."""
    images: str | None = None
    """Without splits in `dataset.yaml`: the name of the folder of the pictures, where it is not one of the usual."""
    masks: str | None = None
    """The same for the masks."""
    seed: int = 0
    """Draws train (85 %) and val (15 %) where there are no splits."""


class ClassEntry(Config):
    """One class of a data set; its place in the list is its number."""

    name: Annotated[str, Field(min_length=1)]
    color: Color | None = None
    value: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Its value in the mask files; by default its number."""


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
        twice = [value for value, count in Counter(self.class_values).items() if count > 1]
        if twice:
            raise ValueError(f"two classes have the value {twice[0]}; give each one of its own with `value`")
        if self.ignore_index in self.class_values:
            name = labels.names[self.class_values.index(self.ignore_index)]
            raise ValueError(
                f"`ignore_index` is {self.ignore_index}, which is also the class {name!r}; "
                f"give a value of no class, such as {labels.ignore_index}"
            )
        return self

    @property
    def labels(self) -> LabelSpace:
        """The classes; those without a colour get one."""
        fallback = voc_colors(len(self.classes))
        colors = tuple(entry.color or color for entry, color in zip(self.classes, fallback, strict=True))
        return LabelSpace(names=tuple(entry.name for entry in self.classes), colors=colors)

    @property
    def class_values(self) -> tuple[int, ...]:
        """The value of each class in the mask files."""
        return tuple(number if entry.value is None else entry.value for number, entry in enumerate(self.classes))

    @property
    def meanings(self) -> dict[int, int]:
        """The class index, or ignore value, of each value in the mask files."""
        ignored = self.labels.ignore_index
        own = ignored if self.ignore_index is None else self.ignore_index
        return {own: ignored} | {value: number for number, value in enumerate(self.class_values)}


EXAMPLE_DESCRIPTION = "{name: my data, classes: [{name: background}, {name: road}], splits: [train, val]}"


def folder(config: FolderConfig, split: str) -> SegmentationDataset:
    """Open one split of a data set in our own format, or of a folder with pictures and masks alone.

    Raises:
        DatasetNotFoundError: If the folder, or what should be in it, is missing.
        DatasetError: If there is no such split, it is empty, a file has no partner, or it is not certain what is meant.
        ConfigError: If `dataset.yaml` holds something impossible.
    """
    tree = _open(config.root)
    description = read_description(config.root) if tree.has_file(DESCRIPTION) else None
    if description is None or has_other_layout(tree, description):
        return _undescribed(config, tree, description, split)
    if split not in description.splits:
        raise DatasetError(f"{config.root} has no split `{split}`: {nearest(split, description.splits)}.")
    images, masks = tree.below(f"images/{split}"), tree.below(f"masks/{split}")
    for place, what in ((images, "images"), (masks, "masks")):
        if not place.has_folder(""):
            raise DatasetNotFoundError(f"There is no folder {place.place}: it should hold the {what} of {split}.")
    return described_files(description.name, split, description, pair_by_stem(images, masks))


def folder_splits(config: FolderConfig) -> tuple[str, ...]:
    """The splits that together are the data set.

    Raises:
        DatasetError, ConfigError: As for `folder`.
    """
    tree = _open(config.root)
    description = read_description(config.root) if tree.has_file(DESCRIPTION) else None
    if description is None or has_other_layout(tree, description):
        return _layout(config, tree).splits
    return description.splits


def described_files(
    title: str, split: str, description: FolderDescription, pairs: Sequence[ImageMaskPair]
) -> PairedFiles:
    """The files of a split as a description understands their masks."""
    labels, meanings = description.labels, description.meanings
    if all(entry.value is None for entry in description.classes):
        changed = {value: meaning for value, meaning in meanings.items() if value != meaning}
        return PairedFiles(title, split, labels, pairs, changed)
    read = MaskValues(meanings, "dataset.yaml")
    return PairedFiles(title, split, labels, pairs, read=read, reading=repr(sorted(meanings.items())))


def read_description(root: Path) -> FolderDescription:
    """Read `dataset.yaml` of a data set folder.

    Raises:
        DatasetNotFoundError: If the folder or the file is missing.
        ConfigError: If it holds something impossible.
    """
    tree = _open(root)
    if not tree.has_file(DESCRIPTION):
        raise DatasetNotFoundError(_no_description(root))
    source = str(tree.file(DESCRIPTION))
    description: FolderDescription = parse(FolderDescription, parse_yaml(tree.read_text(DESCRIPTION), source), source)
    return description


def _open(root: Path) -> FileTree:
    if not os.path.exists(root):  # unlike Path.exists, it answers for names that are too long, too
        raise DatasetNotFoundError(f"There is no folder {root}: give the folder that holds the data set.")
    return open_unwrapped(root)


def has_other_layout(tree: FileTree, description: FolderDescription) -> bool:
    """Whether the description names no splits and there are none of the usual ones."""
    named = "splits" in description.model_fields_set
    usual = [f"{folder}/{split}" for folder in ("images", "masks") for split in description.splits]
    return not named and not any(map(tree.has_folder, usual))


def _layout(config: FolderConfig, tree: FileTree) -> Layout:
    try:
        return find_layout(tree, config.images, config.masks)
    except DatasetNotFoundError:
        raise DatasetNotFoundError(_no_description(config.root)) from None


def _undescribed(
    config: FolderConfig, tree: FileTree, description: FolderDescription | None, split: str
) -> PairedFiles:
    """A split of a folder whose layout, and perhaps whose classes, nobody has written down."""
    layout = _layout(config, tree)
    title = description.name if description else posixpath.basename(os.path.abspath(tree.place))
    title = stated(title, config.seed) if layout.is_drawn else title
    if description:
        return described_files(title, split, description, layout.pairs(split, config.seed))
    pairs, everything = layout.pairs(split, config.seed), layout.all_pairs()
    proposal = propose_classes(everything, tree.place)
    if proposal.read < len(everything):
        title += f" (classes from {proposal.read} of {len(everything)} masks)"
    return PairedFiles(title, split, proposal.labels, pairs)


def _no_description(root: Path) -> str:
    return (
        f"{root} holds no dataset.yaml: write one beside images/ and masks/, such as {EXAMPLE_DESCRIPTION}, "
        f"or name the data set's own layout, as in camvid:{root}."
    )


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
    write_description(root, title, labels, [dataset.split for dataset in datasets])


def write_description(root: Path, title: str, labels: LabelSpace, splits: Sequence[str]) -> None:
    """Write `dataset.yaml`.

    Raises:
        OutputError: If the place cannot be written.
    """
    description = FolderDescription(
        name=title,
        classes=tuple(ClassEntry(name=n, color=c) for n, c in zip(labels.names, labels.colors, strict=True)),
        ignore_index=labels.ignore_index,
        splits=tuple(splits),
    )
    content = description.model_dump(mode="json", exclude_none=True)
    write_text(root / DESCRIPTION, yaml.safe_dump(content, sort_keys=False, default_flow_style=None))
