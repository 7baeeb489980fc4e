"""A folder of pictures and masks, opened whatever is wrong with it: what has no partner is a finding and no error."""

import difflib
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from atrous.data.faults.finding import Finding
from atrous.data.file_tree import FileTree
from atrous.data.folder import (
    DESCRIPTION,
    FolderConfig,
    FolderDescription,
    described_files,
    has_other_layout,
    read_description,
)
from atrous.data.opening import open_unwrapped
from atrous.data.pairs import Pairs
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.errors import MaskError
from atrous.images import IMAGE_SUFFIXES, read_as_is
from atrous.labels import LabelSpace

MOST_COMPARED = 100  # names in which a near one is looked for


class Opened(NamedTuple):
    """The splits that can be looked at, and what was found by opening them."""

    datasets: list[SegmentationDataset]
    findings: list[Finding]


def open_folder(config: FolderConfig, class_names: Sequence[str] = ()) -> Opened | None:
    """Open all splits of a folder in our own format, or of one with `images` and `masks` and no description.

    Args:
        config: The folder or archive.
        class_names: The classes of a folder without `dataset.yaml`; without them they are counted.

    Returns:
        What could be opened; None where pictures and masks lie in other folders.

    Raises:
        DatasetNotFoundError: If there is nothing.
        ConfigError: If `dataset.yaml` holds something impossible.
    """
    tree = open_unwrapped(config.root)
    if tree.has_file(DESCRIPTION):
        description = read_description(config.root)
        return None if has_other_layout(tree, description) else _described(tree, description)
    usual = config.images is None and config.masks is None and tree.has_folder("images") and tree.has_folder("masks")
    return _undescribed(tree, config.root.name, class_names) if usual else None


def _described(tree: FileTree, description: FolderDescription) -> Opened:
    opened = Opened([], [])
    for split in description.splits:
        images, masks = tree.below(f"images/{split}"), tree.below(f"masks/{split}")
        pairs = _pairs(images, masks, split, opened.findings)
        if pairs:
            opened.datasets.append(described_files(description.name, split, description, pairs))
        elif not any(finding.split == split for finding in opened.findings):
            opened.findings.append(_empty(tree.place, split))
    return opened


def _empty(root: str, split: str) -> Finding:
    return Finding(
        kind="unpaired",
        split=split,
        files=(f"{root}/images/{split}",),
        sentence=f"{root}/dataset.yaml names a split {split}, of which there are no pictures.",
        repair="the copy has no such split: put its pictures in place",
    )


def _undescribed(tree: FileTree, title: str, class_names: Sequence[str]) -> Opened:
    opened = Opened([], [])
    pairs_of = {
        split: _pairs(tree.below(_joined("images", place)), tree.below(_joined("masks", place)), split, opened.findings)
        for split, place in _places_of_splits(tree)
    }
    pairs_of = {split: pairs for split, pairs in pairs_of.items() if pairs}
    labels = LabelSpace.from_names(class_names) if class_names else _counted_classes(list(pairs_of.values()))
    named = "as they were given" if class_names else f"{labels.num_classes}, by the largest value of all masks"
    opened.findings.append(
        Finding(
            kind="undescribed",
            split=", ".join(pairs_of),
            files=(f"{tree.place}/dataset.yaml",),
            sentence=f"{tree.place} has no dataset.yaml, which says what the values of masks mean; for this check the "
            f"classes are {named}.",
            repair="the copy gets one; give the names in it with --classes, or correct them there",
        )
    )
    opened.datasets.extend(PairedFiles(title, split, labels, pairs) for split, pairs in pairs_of.items())
    return opened


def _places_of_splits(tree: FileTree) -> list[tuple[str, str]]:
    """(name, folder below images and masks) of each split; of `train` alone where pictures lie in images itself."""
    names = {name.partition("/")[0] for name in tree.below("masks").walk() if "/" in name}
    return [(name, name) for name in sorted(names)] if names else [("train", "")]


def _joined(folder: str, place: str) -> str:
    return f"{folder}/{place}" if place else folder


def _counted_classes(all_pairs: Sequence[Pairs]) -> LabelSpace:
    """At least two classes, without names: as many as the largest value below 255 needs."""
    largest = 1
    for pairs in all_pairs:
        for pair in pairs:
            try:
                pixels = read_as_is(pair.mask).pixels
            except MaskError:  # found again, and named, by the pass over all samples
                continue
            if pixels.ndim == 2:
                largest = max(largest, int(np.where(pixels < 255, pixels, 0).max(initial=0)))
    return LabelSpace.from_names([f"class {index}" for index in range(largest + 1)])


def _pairs(images: FileTree, masks: FileTree, split: str, findings: list[Finding]) -> Pairs:
    """The pairs of files of one name; the others become findings."""
    image_names, mask_names = _by_stem(images, split, findings), _by_stem(masks, split, findings)
    both = sorted(image_names.keys() & mask_names.keys())
    findings.extend(_lonely(images, image_names, mask_names, split, "a picture", "mask", masks))
    findings.extend(_lonely(masks, mask_names, image_names, split, "a mask", "picture", images))
    return Pairs(images, [image_names[stem] for stem in both], masks, [mask_names[stem] for stem in both])


def _lonely(
    tree: FileTree, names: dict[str, str], others: dict[str, str], split: str, what: str, other: str, there: FileTree
) -> Iterator[Finding]:
    lonely_there = sorted(others.keys() - names.keys())[:MOST_COMPARED]
    for stem in sorted(names.keys() - others.keys()):
        file = str(tree.file(names[stem]))
        close = difflib.get_close_matches(stem, lonely_there, n=1, cutoff=0.8)
        hint = f"; {close[0]} is near" if close else ""
        yield Finding(
            kind="unpaired",
            split=split,
            files=(file,),
            sentence=f"{file} is {what} without a {other}: none of its name is in {there.place}{hint}.",
            repair=f"it is left out of the copy: add the {other}",
        )


def _by_stem(tree: FileTree, split: str, findings: list[Finding]) -> dict[str, str]:
    """The pictures below a place by their path without suffix; the second of one name is a finding."""
    found: dict[str, str] = {}
    for name in sorted(tree.walk()):
        stem, suffix = posixpath.splitext(name)
        if suffix.lower() not in IMAGE_SUFFIXES:
            continue
        stem = unicodedata.normalize("NFC", stem)
        if stem in found:
            files = str(tree.file(name)), str(tree.file(found[stem]))
            findings.append(
                Finding(
                    kind="unpaired",
                    split=split,
                    files=files,
                    sentence=f"{files[0]} has the same name as {files[1]}, so that the pairs are not certain.",
                    repair=f"{files[0]} is left out of the copy: rename one of them",
                )
            )
        else:
            found[stem] = name
    return found
