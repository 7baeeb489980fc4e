"""Pictures join a folder by the names of their classes, corrections replace what was there, all else stays."""

from pathlib import Path

import numpy as np
import pytest

from atrous.data.adding import Added, add_to_folder
from atrous.data.convert import convert_dataset
from atrous.data.folder import FolderConfig, folder, read_description
from atrous.data.samples import Sample
from atrous.errors import DatasetError, OutputError
from atrous.images import write_image, write_mask
from atrous.labels import LabelSpace
from tests.data.test_convert import assert_same
from tests.tiny_data import LABELS, InMemory, one_sentence, painted, random_mask

ONE_PICTURE = painted(random_mask((5, 7), 0), "old")
BACKWARDS = LabelSpace.from_names(LABELS.names[::-1])


def made(root: Path, split: str = "train") -> Path:
    """A folder with a picture in one split."""
    convert_dataset([InMemory([ONE_PICTURE], LABELS, split)], root, "tiny")
    return root


def opened(root: Path, split: str = "train") -> list[Sample]:
    dataset = folder(FolderConfig(root=root), split)
    return [dataset[index] for index in range(len(dataset))]


def test_what_is_added_reads_as_its_source(tmp_path: Path) -> None:
    new = InMemory([painted(random_mask((6, 4), number), f"new {number}") for number in range(2)], LABELS)
    assert add_to_folder([new], made(tmp_path / "mine")) == [Added("train", 2, 0, 0)]
    old_and_new = InMemory([new[0], new[1], ONE_PICTURE], LABELS)
    assert_same(old_and_new, folder(FolderConfig(root=tmp_path / "mine"), "train"))


def test_classes_are_matched_by_their_names_and_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    picture = painted(random_mask((9, 9), 1), "new")
    turned = np.where(picture.mask == 255, 255, len(LABELS.names) - 1 - picture.mask).astype(np.uint8)
    add_to_folder([InMemory([picture._replace(mask=turned)], BACKWARDS)], made(tmp_path / "mine"))
    assert np.array_equal(opened(tmp_path / "mine")[0].mask, picture.mask)


def test_the_newer_labels_of_a_picture_take_the_place_of_the_older_ones_in_its_split(tmp_path: Path) -> None:
    corrected = ONE_PICTURE._replace(mask=random_mask((5, 7), 2))
    assert add_to_folder([InMemory([corrected])], made(tmp_path / "mine")) == [Added("train", 0, 1, 0)]
    assert_same(InMemory([corrected]), folder(FolderConfig(root=tmp_path / "mine"), "train"))
    assert add_to_folder([InMemory([corrected])], tmp_path / "mine") == [Added("train", 0, 0, 1)]


def test_a_correction_of_a_picture_of_val_stays_in_val(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    convert_dataset([InMemory([ONE_PICTURE], split="val"), InMemory([painted(random_mask((5, 5), 1), "b")])], root, "")
    corrected = ONE_PICTURE._replace(mask=random_mask((5, 7), 2))
    assert add_to_folder([InMemory([corrected], split="all")], root) == [Added("train", 0, 1, 0)]
    assert np.array_equal(opened(root, "val")[0].mask, corrected.mask)
    assert len(opened(root)) == 1


def test_a_mask_that_is_no_png_is_replaced_by_one(tmp_path: Path) -> None:
    root = made(tmp_path / "mine")
    mask = root / "masks/train/old.png"
    mask.rename(mask.with_suffix(".bmp"))
    add_to_folder([InMemory([ONE_PICTURE._replace(mask=random_mask((5, 7), 2))])], root)
    assert [path.name for path in (root / "masks/train").iterdir()] == ["old.png"]


def test_what_has_no_splits_goes_into_train_and_the_title_counts_anew(tmp_path: Path) -> None:
    root = made(tmp_path / "mine")
    for name in ("b", "c"):
        add_to_folder([InMemory([painted(random_mask((5, 7), 1), name)], split="all")], root)
    assert read_description(root).name == "tiny (grown to: 3 train)"


def test_an_interrupted_addition_is_completed_when_it_is_run_again(tmp_path: Path) -> None:
    root, new = made(tmp_path / "mine"), InMemory([painted(random_mask((5, 7), 1), "new")])
    write_mask(root / "masks/train/new.png", random_mask((5, 7), 3), LABELS)
    assert add_to_folder([new], root) == [Added("train", 1, 0, 0)]
    assert_same(InMemory([new[0], ONE_PICTURE]), folder(FolderConfig(root=root), "train"))


def test_what_cannot_be_added_is_refused_in_one_sentence_before_anything_is_written(tmp_path: Path) -> None:
    root = made(tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    more = LabelSpace.from_names([*LABELS.names, "dragon"])
    first = painted(random_mask((5, 7), 1), "a new one")
    taken = painted(random_mask((5, 7), 1), "old")
    for dataset, words in (
        (InMemory([painted(random_mask((5, 7), 1, more), "new", more)], more), "'dragon'"),
        (InMemory([first], split="test"), "no split `test`"),
        (InMemory([first, taken]), "another picture"),
    ):
        with pytest.raises(DatasetError, match=words) as refused:
            add_to_folder([dataset], root)
        one_sentence(refused.value)
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_a_folder_whose_classes_have_values_of_their_own_is_refused(tmp_path: Path) -> None:
    text = "{name: mine, classes: [{name: ground}, {name: cat, value: 200}], splits: [train]}"
    write_image(tmp_path / "images/train/a.png", ONE_PICTURE.image)
    (tmp_path / "dataset.yaml").write_text(text)
    with pytest.raises(DatasetError, match="convert it to a new folder"):
        add_to_folder([InMemory([ONE_PICTURE])], tmp_path)


def test_a_folder_that_holds_something_says_how_to_add_to_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--add"):
        convert_dataset([InMemory([ONE_PICTURE])], made(tmp_path / "mine"), "other")
