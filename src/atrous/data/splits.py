"""`atrous data split`: the pictures of a data set, divided anew: by class, by group, by seed, and always the same."""

import csv
import io
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.convert import write_picture
from atrous.data.folder import write_description
from atrous.data.processes import of_all_samples
from atrous.data.samples import PairedFiles, SegmentationDataset, remap, require_same_classes
from atrous.data.seeded_split import without_split
from atrous.data.stratification import stratify
from atrous.errors import ConfigError, DatasetError, OutputError
from atrous.files import cannot_write, make_folder, write_text
from atrous.images import read_mask, write_mask
from atrous.labels import Mask
from atrous.progress import Progress, Silent, track


class Division(NamedTuple):
    """Which picture goes into which split."""

    splits: tuple[str, ...]
    members: list[tuple[int, int]]
    """(number of the source's split, index in it) of each picture."""
    names: list[str]
    """Of each picture."""
    groups: list[str]
    """Of each picture."""
    split_of: NDArray[np.int64]
    """The place in `splits` of each picture."""
    shows: NDArray[np.bool_]
    """[N, K]: which classes each picture shows."""

    def shares(self) -> NDArray[np.float64]:
        """[S, K]: the share of the pictures that show a class which each split got; NaN for a class of no picture."""
        counts = np.stack([self.shows[self.split_of == place].sum(axis=0) for place in range(len(self.splits))])
        total = counts.sum(axis=0)
        return np.asarray(np.where(total > 0, counts / np.maximum(total, 1), np.nan))


def parse_fractions(text: str) -> dict[str, float]:
    """Read `train=0.8,val=0.2`.

    Raises:
        ConfigError: If it is not of this form, a fraction is not positive, or they do not add up to 1.
    """
    fractions: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            fraction = float(number)
        except ValueError:
            fraction = math.nan
        if not re.fullmatch(r"\w[\w.-]*", name) or name in fractions or not fraction > 0:
            raise ConfigError(f"`{part.strip()}` is no split of its own with a fraction: write train=0.8,val=0.2.")
        fractions[name] = fraction
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise ConfigError(f"The fractions {text} add up to {sum(fractions.values()):g}: they must add up to 1.")
    return fractions


def groups_by_pattern(pattern: str) -> Callable[[str], str]:
    """A function that finds the group of a name: what the first parentheses of a regular expression match, or all.

    Raises:
        ConfigError: If the pattern is no regular expression; later, if a name does not match it.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"The pattern {pattern!r} is no regular expression ({error}): mend it.") from None

    def group_of(name: str) -> str:
        match = expression.search(name)
        if match is None:
            raise ConfigError(
                f"The picture {name} does not match the pattern {pattern!r}, so it has no group: widen it."
            )
        return str(match[1] if expression.groups else match[0])

    return group_of


def groups_by_table(path: Path) -> Callable[[str], str]:
    """A function that looks the group of a name up in a CSV of two columns: name and group.

    Raises:
        ConfigError: If the file cannot be read or has another form; later, if a name is not in it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path} cannot be read as CSV ({reason}): give lines of name,group.") from None
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise ConfigError(f"{path}: row {number} has {len(row)} columns where a name and its group were expected.")
    table = {name.strip(): group.strip() for name, group in rows}

    def group_of(name: str) -> str:
        if name not in table:
            raise ConfigError(f"{path} has no row for the picture {name}: add `{name},GROUP`.")
        return table[name]

    return group_of


def divide(
    datasets: Sequence[SegmentationDataset],
    fractions: Mapping[str, float],
    *,
    group_of: Callable[[str], str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int = 0,
) -> Division:
    """Divide all pictures of some splits anew; the masks are read, nothing is written.

    Args:
        datasets: The splits whose pictures are divided.
        fractions: The share of each new split; they add up to 1.
        group_of: The group of a picture's name; without it, each picture may go anywhere.
        seed: Another one gives another division of the same quality.
        progress: Where the progress is shown.
        workers: Processes beside this one; 0 does all in this one.

    Raises:
        MaskError, ImageError: If a file cannot be read.
        DatasetError: If there are fewer groups than splits, or the splits have other classes.
        ConfigError: If a picture has no group.
    """
    require_same_classes(datasets)
    members = [(number, index) for number, dataset in enumerate(datasets) for index in range(len(dataset))]
    seen = track(of_all_samples(datasets, classes_shown, workers), progress or Silent(), "Reading masks", len(members))
    found = [shown for _, shown in seen]
    names = [name for name, _ in found]
    shows = np.stack([classes for _, classes in found])
    groups = [group_of(name) for name in names] if group_of else [str(number) for number in range(len(names))]
    if len(set(groups)) < len(fractions):
        raise DatasetError(
            f"{len(set(groups))} groups cannot be divided into {len(fractions)} splits: give a pattern of smaller ones."
        )
    _, numbers = np.unique(np.array(groups), return_inverse=True)
    split_of = stratify(shows, numbers.astype(np.int64), list(fractions.values()), seed)
    return Division(tuple(fractions), members, names, groups, split_of, shows)


def classes_shown(dataset: SegmentationDataset, index: int) -> tuple[str, NDArray[np.bool_]]:
    """Return the name of a sample and which classes it shows, bool [K].

    Raises:
        MaskError, ImageError: If a file cannot be read.
    """
    if isinstance(dataset, PairedFiles):
        name, mask = dataset.name_of(index), _mask_of(dataset, index)
    else:
        _, mask, name = dataset[index]
    count = dataset.labels.num_classes
    return name, np.bincount(mask.ravel(), minlength=count)[:count] > 0


def write_division(
    root: Path,
    division: Division,
    datasets: Sequence[SegmentationDataset],
    *,
    copy: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a division as a folder in our own format, with `split.csv` that says where each picture came from.

    Files that are already as the format wants them are linked (a second name for the same bytes, at no cost), or
    copied where links are impossible. Masks whose values mean something else in their files are written anew.

    Raises:
        OutputError: If the place holds something already, or cannot be written.
    """
    if root.exists() and any(root.iterdir()):
        raise OutputError(f"{root} is not empty: give an empty folder, or a new one.")
    names = _names_in_splits(division, datasets)
    order = track(range(len(names)), progress or Silent(), "Writing", len(names))
    for place in order:
        number, index = division.members[place]
        split = division.splits[division.split_of[place]]
        _write_sample(root, split, names[place], datasets[number], index, copy=copy)
    write_text(root / "split.csv", _table(division, datasets, names))
    write_description(root, _title(division, datasets[0].title), datasets[0].labels, division.splits)


def _title(division: Division, title: str) -> str:
    """The title of the data set with what its splits now are, for no other numbers compare with theirs."""
    sizes = np.bincount(division.split_of, minlength=len(division.splits))
    counts = ", ".join(f"{size} {name}" for size, name in zip(sizes, division.splits, strict=True))
    return f"{without_split(title)} (divided anew: {counts})"


def _names_in_splits(division: Division, datasets: Sequence[SegmentationDataset]) -> list[str]:
    """A name for the files of each picture; where two sources have the same, their split stands before it."""
    counts = dict.fromkeys(division.names, 0)
    for name in division.names:
        counts[name] += 1
    return [
        name if counts[name] == 1 else f"{datasets[number].split}_{name}"
        for name, (number, _) in zip(division.names, division.members, strict=True)
    ]


def _write_sample(root: Path, split: str, name: str, dataset: SegmentationDataset, index: int, *, copy: bool) -> None:
    images, masks = root / "images" / split, root / "masks" / split
    picture = dataset.picture_of(index)
    if not isinstance(picture, Path):  # it is made, or lies in an archive
        sample = dataset[index]
        write_picture(images, sample._replace(name=name), picture)
        write_mask(masks / f"{name}.png", sample.mask, dataset.labels)
        return
    _link(picture, images / f"{name}{picture.suffix}", copy=copy)
    mask = dataset.pairs[index].mask if isinstance(dataset, PairedFiles) and _holds_indices(dataset) else None
    if isinstance(mask, Path):
        _link(mask, masks / f"{name}{mask.suffix}", copy=copy)
    else:
        write_mask(masks / f"{name}.png", _mask_of(dataset, index), dataset.labels)


def _holds_indices(dataset: PairedFiles) -> bool:
    """Whether the values of the mask files are class indices and the ignore value."""
    return dataset.read is read_mask and not dataset.values


def _mask_of(dataset: SegmentationDataset, index: int) -> Mask:
    """The mask of a sample, without the picture where that is possible."""
    if isinstance(dataset, PairedFiles):
        return remap(dataset.read(dataset.pairs[index].mask), dataset.values)
    return dataset[index].mask


def _link(source: Path, place: Path, *, copy: bool) -> None:
    make_folder(place.parent)
    try:
        if not copy:
            try:
                os.link(source.resolve(), place)
                return
            except OSError:  # another disk, or one that knows no links
                pass
        shutil.copyfile(source, place)
    except OSError as error:
        raise cannot_write(place, error) from error


def _table(division: Division, datasets: Sequence[SegmentationDataset], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "split", "group", "from", "mask"))
    for place, (number, index) in enumerate(division.members):
        split = division.splits[division.split_of[place]]
        dataset = datasets[number]
        writer.writerow((names[place], split, division.groups[place], dataset.split, dataset.source_of(index)))
    return text.getvalue().encode("utf-8", "replace").decode("utf-8")
