from pathlib import Path

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.sources.yolo import YoloConfig
from atrous.errors import DatasetError, DatasetNotFoundError
from tests.annotated_data import NAMES, SIZE, expected_mask, write_pictures, write_yolo_set
from tests.tiny_data import one_sentence


def test_names_may_be_a_list_or_a_table_with_holes(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    for names in ("[square, bar]", "{1: bar, 0: square, 9: other}"):
        (tmp_path / "data.yaml").write_text(f"train: images/train\nnc: 2\nnames: {names}\n")
        dataset = open_split(config, "train")
        assert dataset.labels.names[:3] == ("background", "square", "bar")
        assert np.array_equal(dataset[0].mask, expected_mask())


def test_the_smaller_object_shows_by_default(tmp_path: Path) -> None:
    write_yolo_set(tmp_path)
    default = open_split(YoloConfig(root=tmp_path), "train")[0].mask
    assert default[4, 5] == 1  # 16 pixels of the square, 18 of the bar
    assert expected_mask()[4, 5] == 2


@pytest.mark.parametrize(
    "train", ["images/train", "./images/train", "../images/train", "../../elsewhere/../images/train", "[images/train]"]
)
def test_paths_are_read_from_the_folder_of_the_description(tmp_path: Path, train: str) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(f"path: ../datasets/mine\ntrain: {train}\nnames: [square, bar]\n")
    assert len(open_split(config, "train")) == 2


def test_a_list_of_pictures_is_a_split(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: val.txt\nnames: [square, bar]\n")
    (tmp_path / "val.txt").write_text("./images/train/b.png\n")
    assert splits_of(config) == ("train", "val")
    assert open_split(config, "val")[0].name == "b"
    assert len(open_split(config, "all")) == 2
    (tmp_path / "val.txt").write_text("images/train/c.png\n")
    with pytest.raises(DatasetError, match=r"val\.txt lists the picture images/train/c\.png"):
        open_split(config, "val")


def test_folders_of_splits_may_lie_outside(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "train").mkdir()
    for folder in ("images", "labels"):
        (tmp_path / folder / "train").rename(tmp_path / "train" / folder)
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [square, bar]\n")
    assert np.array_equal(open_split(config, "train")[1].mask, expected_mask())
    with pytest.raises(DatasetNotFoundError, match=r"names \.\./valid/images for val, where no pictures are"):
        open_split(config, "val")


def test_a_picture_without_a_text_file_shows_no_object(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "labels/train/a.txt").unlink()
    dataset = open_split(config, "train")
    assert not dataset[0].mask.any()
    assert dataset[1].mask.any()


def test_a_text_file_without_a_picture_is_refused(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "labels/train/classes.txt").write_text("square\nbar\n")
    (tmp_path / "images/train/a.png").unlink()
    with pytest.raises(DatasetError) as caught:
        open_split(config, "train")
    assert "labels/train/a.txt has no picture" in one_sentence(caught.value)


def test_parts_that_are_joined_by_a_line_there_and_back_stay_apart(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    ring = [(1, 1), (3, 1), (3, 3), (9, 6), (11, 6), (11, 9), (9, 9), (9, 6), (3, 3), (1, 3)]
    (tmp_path / "labels/train/a.txt").write_text("1 " + " ".join(f"{x / 12:.8f} {y / 10:.8f}" for x, y in ring))
    expected = np.zeros(SIZE, np.uint8)
    expected[1:3, 1:3] = expected[6:9, 9:11] = 2
    assert np.array_equal(open_split(config, "train")[0].mask, expected)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.2 0.2", "the box of a detector"),
        ("0 0.5 0.5 0.2 0.2 0.1", "5 numbers"),
        ("7 0.1 0.1 0.2 0.2 0.1 0.3", "a class of data.yaml (up to 1)"),
        ("square 0.1 0.1 0.2 0.2 0.1 0.3", "starts `square"),
        ("0 1 1 200 200 1 300", "outside of 0..1"),
        ("0 0.1 nan 0.2 0.2 0.1 0.3", "outside of 0..1"),
    ],
)
def test_a_faulty_line_is_named_in_one_sentence(tmp_path: Path, line: str, words: str) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text(line)
    with pytest.raises(DatasetError) as caught:
        _ = open_split(config, "train")[0]
    assert words in one_sentence(caught.value)
    assert "labels/train/a.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train: images/train\n", "`names` is missing"),
        ("names: [a, a]\ntrain: images/train\n", "the class name 'a' stands 2 times"),
        ("names: {a: b\n", "is no valid YAML"),
        ("- a\n", "a table of fields was expected"),
        ("names: {x: a}\n", "`names"),
        ("names: [!!python/object/apply:os.system [ls]]\n", "is no valid YAML"),
    ],
)
def test_a_faulty_description_is_named_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DatasetError) as caught:
        open_split(config, "train")
    assert words in one_sentence(caught.value)
    assert "data.yaml" in str(caught.value)


def test_the_last_folder_of_pictures_is_that_of_the_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images/images/train")
    (tmp_path / "images/labels/train").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / f"images/labels/train/{name}.txt").write_text("1 0 0 1 0 1 1 0 1\n")
    (tmp_path / "data.yaml").write_text("train: images/images/train\nnames: [square, bar]\n")
    assert (open_split(YoloConfig(root=tmp_path), "train")[0].mask == 2).all()
