"""Folders that nobody has described: what is certain is understood, and what is not is asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.data import splits_of
from atrous.data.file_tree import Folder
from atrous.data.folder import FolderConfig, folder
from atrous.data.layouts import find_layout
from atrous.data.seeded_split import draw_split
from atrous.errors import AtrousError, ConfigError, DatasetError, DatasetNotFoundError, MaskError
from atrous.images import write_mask
from tests.data.sources.layouts import packed, values_of, write_colors, write_grey, write_picture
from tests.tiny_data import LABELS, noise, one_sentence


def write_pairs_at(root: Path, images: str, masks: str, values: list[int], count: int = 2, ending: str = "") -> Path:
    for number in range(count):
        write_picture(root / images / f"{number:02}.jpg", number)
        write_grey(root / masks / f"{number:02}{ending}.png", values_of(values))
    return root


def refused(root: Path, split: str = "train", **choices: object) -> str:
    with pytest.raises(AtrousError) as caught:
        folder(FolderConfig.model_validate({"root": root, **choices}), split)
    return one_sentence(caught.value)


SPLIT_LAYOUTS = [
    ("images/{}", "masks/{}"),
    ("imgs/{}", "labels/{}"),
    ("Images/{}/deep", "Annotations/{}/deep"),
    ("{}/images", "{}/masks"),
    ("{}/Images", "{}/Labels"),
    ("{}", "{}annot"),
    ("{}", "{}_labels"),
]


@pytest.mark.parametrize(("images", "masks"), SPLIT_LAYOUTS)
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_usual_layouts_with_splits_are_understood(tmp_path: Path, images: str, masks: str, kind: str) -> None:
    for split, count in (("train", 3), ("valid", 2)):
        write_pairs_at(tmp_path / "mine", images.format(split), masks.format(split), [0, 1, 2, 255], count)
    config = FolderConfig(root=packed(tmp_path / "mine", kind))
    assert splits_of(config) == ("train", "valid")
    for split, count in (("train", 3), ("val", 2), ("valid", 2)):
        dataset = folder(config, split)
        assert (len(dataset), dataset.split) == (count, split)
        assert dataset.labels.names == ("class 0", "class 1", "class 2")
        assert dataset[0].mask.tolist() == values_of([0, 1, 2, 255]).tolist()


@pytest.mark.parametrize(("images", "masks"), [("images", "masks"), ("JPEGImages", "SegmentationClass"), ("img", "gt")])
def test_without_splits_they_are_drawn_and_said_to_be(tmp_path: Path, images: str, masks: str) -> None:
    write_pairs_at(tmp_path / "mine", images, masks, [0, 1], 20)
    config = FolderConfig(root=tmp_path / "mine")
    train, val = (folder(config, split) for split in splits_of(config))
    assert (len(train), len(val)) == (17, 3)
    assert train.title == "mine (no split of its own: 85 % train and 15 % val drawn with seed 0)"
    names = [dataset[index].name for dataset in (train, val) for index in range(len(dataset))]
    assert sorted(names) == [f"{number:02}" for number in range(20)]
    other = folder(FolderConfig(root=tmp_path / "mine", seed=1), "val")
    assert [other[index].name for index in range(3)] != [val[index].name for index in range(3)]


def test_the_drawn_split_does_not_depend_on_the_order_and_hardly_on_one_picture_more() -> None:
    names = [f"{number}.jpg" for number in range(200)]
    drawn = {names[place] for place in draw_split(names, "val", 0, "mine")}
    backwards = names[::-1]
    assert {backwards[place] for place in draw_split(backwards, "val", 0, "mine")} == drawn
    more = [*names, "new.jpg"]
    assert len(drawn ^ {more[place] for place in draw_split(more, "val", 0, "mine")}) <= 2
    assert len(drawn) == 30
    with pytest.raises(DatasetError, match="too few"):
        draw_split(["a"], "train", 0, "mine")


@pytest.mark.parametrize("ending", ["_mask", "_L", "_labels"])
def test_an_ending_that_all_masks_share_is_no_part_of_their_names(tmp_path: Path, ending: str) -> None:
    write_pairs_at(tmp_path, "images", "masks", [0, 1], 4, ending)
    assert len(folder(FolderConfig(root=tmp_path), "train")) == 3
    (tmp_path / f"masks/00{ending}.png").rename(tmp_path / "masks/00.png")
    assert "has no mask" in refused(tmp_path)


def test_colours_of_a_palette_become_those_of_the_classes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"images/{name}.jpg")
        write_mask(tmp_path / f"masks/{name}.png", values_of([0, 1, 2]).astype(np.uint8), LABELS)
    assert folder(FolderConfig(root=tmp_path), "train").labels.colors == LABELS.colors


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 255], "[{name: background, value: 0}, {name: foreground, value: 255}]"),
        ([0, 1, 3], "{name: name 3, value: 3}"),
        ([0], "are 0: write"),
        ([1, 2], "are 1, 2: write"),
        (list(range(0, 200, 10)), "110, ...: write"),
    ],
)
def test_values_that_can_mean_several_things_are_asked_for(tmp_path: Path, values: list[int], words: str) -> None:
    text = refused(write_pairs_at(tmp_path, "images", "masks", values))
    assert words in text
    assert f"write {tmp_path}/dataset.yaml" in text


def test_the_answer_to_the_question_can_be_written_as_it_stands(tmp_path: Path) -> None:
    text = refused(write_pairs_at(tmp_path, "images", "masks", [0, 255], 10))
    answer = text[text.index("{name: mine") : text.index(", with `ignore_index`")]
    (tmp_path / "dataset.yaml").write_text(answer)
    dataset = folder(FolderConfig(root=tmp_path), "val")
    assert dataset.labels.names == ("background", "foreground")
    assert dataset[0].mask.tolist() == values_of([0, 1]).tolist()
    write_grey(tmp_path / "masks/00.png", values_of([0, 254]))
    datasets = [folder(FolderConfig(root=tmp_path), split) for split in ("train", "val")]
    with pytest.raises(MaskError, match=r"00\.png has the value 254"):
        [dataset[index] for dataset in datasets for index in range(len(dataset))]


def test_values_of_classes_can_be_any_and_another_may_be_ignored(tmp_path: Path) -> None:
    write_pairs_at(tmp_path, "images/train", "masks/train", [7, 3, 255, 9])
    text = "{name: mine, classes: [{name: a, value: 7}, {name: b, value: 255}, {name: c, value: 3}], ignore_index: 9}"
    (tmp_path / "dataset.yaml").write_text(text)
    assert folder(FolderConfig(root=tmp_path), "train")[0].mask.tolist() == values_of([0, 2, 1, 255]).tolist()
    for wrong, words in (
        (text.replace("7", "3"), "two classes have the value 3"),
        (text.replace("9", "7"), "class 'a'"),
    ):
        (tmp_path / "dataset.yaml").write_text(wrong)
        with pytest.raises(ConfigError, match=words):
            folder(FolderConfig(root=tmp_path), "train")


def test_masks_in_colours_are_sent_to_their_own_kind(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"images/{name}.jpg")
        write_colors(tmp_path / f"masks/{name}.png", noise((4, 6), 0))
    assert f"colour-masks:{tmp_path}" in refused(tmp_path)


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        (["images", "imgs", "masks"], "not certain"),
        (["images", "depth"], "not certain"),
        (["images/train", "images/extra", "masks/train", "masks/extra"], "extra"),
        (["images/train", "masks"], "belong to none of them"),
        ([""], "not certain"),
    ],
)
def test_what_is_not_certain_is_asked_for(tmp_path: Path, folders: list[str], words: str) -> None:
    for path in folders:
        write_picture(tmp_path / path / "a.png")
    assert words in refused(tmp_path)


def test_folders_with_other_names_can_be_named(tmp_path: Path) -> None:
    write_pairs_at(tmp_path, "left", "truth", [0, 1])
    write_pairs_at(tmp_path, "right", "depth", [0, 1])
    assert "left" in refused(tmp_path)
    assert len(folder(FolderConfig(root=tmp_path, images="left", masks="truth"), "train")) == 1


def test_a_split_that_is_not_there_is_answered(tmp_path: Path) -> None:
    write_pairs_at(tmp_path, "images", "masks", [0, 1])
    assert "there is train, val, drawn from a seed" in refused(tmp_path, "test")
    with pytest.raises(DatasetNotFoundError):
        find_layout(Folder(tmp_path / "nothing"))


def test_of_very_many_masks_some_are_looked_at_and_the_title_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.data.proposals.MOST_READ", 4)
    write_pairs_at(tmp_path / "mine", "images/train", "masks/train", [0, 1], 10)
    assert folder(FolderConfig(root=tmp_path / "mine"), "train").title == "mine (classes from 4 of 10 masks)"


def test_a_described_folder_is_read_out_of_a_zip(tmp_path: Path) -> None:
    write_pairs_at(tmp_path / "mine", "images/train", "masks/train", [0, 1])
    (tmp_path / "mine/dataset.yaml").write_text("{name: mine, classes: [{name: a}, {name: b}], splits: [train]}")
    config = FolderConfig(root=packed(tmp_path / "mine", "zip"))
    assert folder(config, "train").labels.names == ("a", "b")
    assert splits_of(config) == ("train",)


def test_masks_of_16_bits_in_which_255_may_be_a_class_are_asked_about(tmp_path: Path) -> None:
    values = np.arange(300, dtype=np.uint16).reshape(15, 20)
    for name in ("a", "b"):
        write_picture(tmp_path / f"images/{name}.jpg", size=(15, 20))
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"masks/{name}.png")
    assert "are 0, 1, 2" in refused(tmp_path)
