"""Oxford-IIIT Pet: cats and dogs of 37 breeds, each picture with a trimap.

Source: Parkhi et al. 2012 and the README of `annotations.tar.gz`: 1 is the pet, 2 the background, 3 the border that was
not classified. A line of `trainval.txt` and `test.txt` has the picture's name, the number of its breed among all (from
1), its species (1 cat, 2 dog) and its breed's number in the species.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atrous.config import Config, nearest
from atrous.data.file_tree import FileTree
from atrous.data.listed import Place, listed_pairs
from atrous.data.mask_values import MaskValues
from atrous.data.parts import require_part
from atrous.data.samples import PairedFiles, SegmentationDataset
from atrous.data.seeded_split import DRAWN_SPLITS, draw_split
from atrous.errors import DatasetError
from atrous.images import ReadableFile
from atrous.labels import LabelSpace, Mask

OFFICIAL_SPLITS = ("trainval", "test")

SPECIES = ("cat", "dog")


class PetsConfig(Config):
    """Oxford-IIIT Pet in its own layout: `images` and `annotations` with `trimaps`, `trainval.txt` and `test.txt`."""

    kind: Literal["pets"] = "pets"
    root: Path
    """The folder or archive that contains `images` and `annotations`."""
    classes: Literal["pet", "species", "breed"] = "pet"
    """What the foreground is: one class, cat and dog, or 37 breeds; the first class is the background."""
    border: Literal["ignore", "class", "pet"] = "ignore"
    """What the border is: neither trained nor scored, a class of its own (the last), or a part of the pet."""
    seed: int = 0
    """Draws train (85 %) and val (15 %) from the official trainval."""


@dataclass(frozen=True)
class Trimaps:
    """Reads trimaps as masks: what their 1 is, the name of the file says."""

    foreground: Mapping[str, int]
    """The class index of each breed."""
    border: int | None
    """The value of the border; None makes it a part of the pet."""

    def __call__(self, file: ReadableFile) -> Mask:
        """Read a mask.

        Returns:
            uint8 [H, W].

        Raises:
            MaskError: If it has other values than 1, 2 and 3, or the file cannot be read.
        """
        pet = self.foreground[breed_of(file.stem)]
        return MaskValues({1: pet, 2: 0, 3: pet if self.border is None else self.border}, "a trimap")(file)


def pets(config: PetsConfig, split: str) -> SegmentationDataset:
    """Open trainval or test of Oxford-IIIT Pet, or train or val, which are drawn from trainval.

    Raises:
        DatasetNotFoundError: If it is not there.
        DatasetError: If there is no such split, or a file that it names is missing.
    """
    choices = (*OFFICIAL_SPLITS, *DRAWN_SPLITS)
    if split not in choices:
        raise DatasetError(f"Oxford-IIIT Pet has no split `{split}`: {nearest(split, choices)}.")
    way_out = f"Run `atrous data download pets {config.root}`"
    tree = require_part(config.root, "Oxford-IIIT Pet", way_out, "annotations/trimaps")
    path = f"annotations/{split if split in OFFICIAL_SPLITS else 'trainval'}.txt"
    names = list(_rows(tree, path))
    if split in DRAWN_SPLITS:
        names = [names[place] for place in draw_split(names, split, config.seed, tree.place)]
    images, masks = Place(tree, "images/{}.jpg"), Place(tree, "annotations/trimaps/{}.png")
    pairs = listed_pairs(names, images, masks, str(tree.file(path))).pairs
    labels, read = _classes(config, tree)
    drawn = f" (train and val drawn from trainval with seed {config.seed})" if split in DRAWN_SPLITS else ""
    return PairedFiles(f"Oxford-IIIT Pet{drawn}", split, labels, pairs, read=read, reading=repr(read))


def pets_splits(config: PetsConfig) -> tuple[str, ...]:
    """The splits that together are the data set, trainval in two parts."""
    del config
    return ("train", "val", "test")


def breed_of(name: str) -> str:
    """The breed in a picture's name: `Abyssinian_100` shows an Abyssinian."""
    return name.rpartition("_")[0]


def _classes(config: PetsConfig, tree: FileTree) -> tuple[LabelSpace, Trimaps]:
    rows = {name: row for part in OFFICIAL_SPLITS for name, row in _rows(tree, f"annotations/{part}.txt").items()}
    breeds = {row[0]: breed_of(name) for name, row in rows.items()}
    species = {breed_of(name): row[1] for name, row in rows.items()}
    match config.classes:
        case "pet":
            names, foreground = ["pet"], dict.fromkeys(species, 1)
        case "species":
            names, foreground = list(SPECIES), species
        case "breed":
            ordered = [breeds[number] for number in sorted(breeds)]
            names = [breed.replace("_", " ") for breed in ordered]
            foreground = {breed: place for place, breed in enumerate(ordered, start=1)}
    border = ["border"] if config.border == "class" else []
    labels = LabelSpace.from_names(["background", *names, *border])
    values = {"ignore": labels.ignore_index, "class": labels.num_classes - 1, "pet": None}
    return labels, Trimaps(foreground, values[config.border])


def _rows(tree: FileTree, path: str) -> dict[str, tuple[int, int]]:
    """The breed's number and the species of each picture of a list."""
    rows = {}
    for line in tree.read_text(path).splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3 or not words[1].isdecimal() or words[2] not in ("1", "2") or not breed_of(words[0]):
            raise DatasetError(
                f"{tree.file(path)} has the line {line[:60]!r}, not name, breed and species: get a whole copy."
            )
        rows[words[0]] = (int(words[1]), int(words[2]))
    return rows
