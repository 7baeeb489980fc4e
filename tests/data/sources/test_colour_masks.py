"""Colour-coded masks with a table, in the layouts that people have, and as CVAT exports them."""

from pathlib import Path

import numpy as np
import pytest

from atrous.data import splits_of
from atrous.data.sources.colour_masks import ColourMasksConfig, colour_masks
from atrous.errors import AtrousError, ConfigError, DatasetError
from tests.data.sources.layouts import packed, write_colors, write_lines, write_picture
from tests.tiny_data import one_sentence

COLORS = np.array([(0, 0, 0), (128, 64, 128), (0, 0, 142)] * 8, np.uint8).reshape(4, 6, 3)
TABLE = '{"void": [0, 0, 0], "road": [128, 64, 128], "car": [0, 0, 142]}'


def write_pair(root: Path, images: str, masks: str, name: str) -> None:
    write_picture(root / images / f"{name}.jpg")
    write_colors(root / masks / f"{name}.png", COLORS)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_table_gives_classes_and_their_order(tmp_path: Path, kind: str) -> None:
    for split in ("train", "val"):
        write_pair(tmp_path / "town", f"images/{split}", f"masks/{split}", "a")
    (tmp_path / "town/classes.json").write_text(TABLE)
    config = ColourMasksConfig(root=packed(tmp_path / "town", kind))
    dataset = colour_masks(config, "train")
    assert dataset.labels.names == ("void", "road", "car")
    assert dataset.labels.colors == ((0, 0, 0), (128, 64, 128), (0, 0, 142))
    assert dataset[0].mask.ravel().tolist() == [0, 1, 2] * 8
    assert splits_of(config) == ("train", "val")
    ignoring = colour_masks(ColourMasksConfig(root=config.root, ignore=("void",)), "train")
    assert ignoring.labels.names == ("road", "car")
    assert ignoring[0].mask.ravel().tolist() == [255, 0, 1] * 8
    assert ignoring.fingerprint() != dataset.fingerprint()


def test_a_change_of_the_table_changes_the_fingerprint(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path, "images", "masks", name)
    prints = []
    for table in (TABLE, TABLE.replace("142", "143").replace("128]", "142]")):
        (tmp_path / "classes.json").write_text(table)
        prints.append(colour_masks(ColourMasksConfig(root=tmp_path), "train").fingerprint())
    assert prints[0] != prints[1]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_the_segmentation_masks_of_cvat_are_read_by_their_lists(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "task"
    for name in ("frame 1", "deep/frame 2", "frame 3"):
        write_pair(root, "JPEGImages", "SegmentationClass", name)
        write_colors(root / f"SegmentationObject/{name}.png", COLORS)
    write_picture(root / "JPEGImages/without.png")
    write_lines(root / "ImageSets/Segmentation/default.txt", ["frame 3", "deep/frame 2"])
    write_lines(root / "labelmap.txt", ["# label:color_rgb:parts:actions", "void:0,0,0::", "road:128,64,128::"])
    with (root / "labelmap.txt").open("a") as table:
        table.write("car:0,0,142::\n")
    config = ColourMasksConfig(root=packed(root, kind))
    dataset = colour_masks(config, "default")
    assert [dataset[index].name for index in range(2)] == ["frame 3", "frame 2"]
    assert dataset[1].mask.ravel().tolist() == [0, 1, 2] * 8
    assert splits_of(config) == ("default",)


def test_without_splits_train_and_val_are_drawn_and_said_to_be(tmp_path: Path) -> None:
    for number in range(20):
        write_pair(tmp_path / "town", "img", "gt", f"{number:02}")
    (tmp_path / "town/colors.csv").write_text("void,0,0,0\nroad,128,64,128\ncar,0,0,142")
    config = ColourMasksConfig(root=tmp_path / "town", seed=5)
    assert [len(colour_masks(config, split)) for split in splits_of(config)] == [17, 3]
    assert colour_masks(config, "val").title == "town (no split of its own: 85 % train and 15 % val drawn with seed 5)"


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pair(tmp_path, "images", "masks", name)

    def refused(kind: type[AtrousError], **choices: object) -> str:
        with pytest.raises(kind) as caught:
            colour_masks(ColourMasksConfig.model_validate({"root": tmp_path, **choices}), "train")
        return one_sentence(caught.value)

    assert "no table of the masks' colours" in refused(DatasetError)
    (tmp_path / "classes.json").write_text(TABLE)
    assert "did you mean `void`" in refused(ConfigError, ignore=["viod"])
    assert "no class that is not ignored" in refused(DatasetError, ignore=["void", "road", "car"])
    assert "There is no file" in refused(DatasetError, table="other.json")
    assert "outside of it" in refused(DatasetError, table="../other.json")
