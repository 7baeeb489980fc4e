"""COCO-Stuff in both editions: values become classes by their names."""

from pathlib import Path

import numpy as np
import pytest

from atrous.data import splits_of
from atrous.data.sources.coco_stuff import NAMES, UNUSED, CocoStuffConfig, coco_stuff
from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from tests.data.sources.layouts import packed, values_of, write_grey, write_lines, write_mat, write_picture
from tests.tiny_data import one_sentence

USED_IDS = [number for number, name in enumerate(NAMES, start=1) if name not in UNUSED]


def write_10k(root: Path, values: list[int]) -> Path:
    for name in ("COCO_train2014_000000000077", "COCO_train2014_000000000110"):
        write_picture(root / f"images/{name}.jpg")
        write_mat(root / f"annotations/{name}.mat", S=values_of(values).astype(np.uint8), captions="nothing")
    write_lines(root / "imageLists/train.txt", ["COCO_train2014_000000000077"])
    write_lines(root / "imageLists/test.txt", ["COCO_train2014_000000000110"])
    return root


def write_164k(root: Path, images: str, masks: str, values: list[int]) -> Path:
    for split in ("train", "val"):
        write_picture(root / images.format(split) / "000000000139.jpg")
        write_grey(root / masks.format(split) / "000000000139.png", values_of(values))
    return root


def test_171_of_the_182_ids_are_used() -> None:
    assert (len(NAMES), len(set(UNUSED) & set(NAMES)), len(USED_IDS)) == (182, 11, 171)
    assert [NAMES[number - 1] for number in (1, 11, 13, 90, 92, 182)] == [
        "person", "fire hydrant", "stop sign", "toothbrush", "banner", "wood"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_every_value_of_the_10k_edition_becomes_the_class_of_its_name(tmp_path: Path, kind: str) -> None:
    for place, first in enumerate(range(0, 182, 24)):
        ids = [0, *[number for number in range(first, first + 24) if number in USED_IDS]][:24]
        config = CocoStuffConfig(root=packed(write_10k(tmp_path / f"{place}", ids), kind, "stuff"))
        dataset = coco_stuff(config, "train")
        expected = [dataset.labels.names.index(NAMES[number - 1]) if number else 255 for number in ids]
        assert dataset[0].mask.tolist() == values_of(expected).tolist()
        assert (dataset.title, splits_of(config)) == ("COCO-Stuff 10k", ("train", "test"))


LAYOUTS = [
    ("images/{}2017", "annotations/{}2017"),
    ("{}2017", "stuffthingmaps/{}2017"),
    ("images/{}2017", "stuffthingmaps_trainval2017/{}2017"),
]


@pytest.mark.parametrize(("images", "masks"), LAYOUTS)
def test_the_164k_edition_counts_from_0(tmp_path: Path, images: str, masks: str) -> None:
    config = CocoStuffConfig(root=write_164k(tmp_path, images, masks, [0, 10, 12, 181, 255]))
    dataset = coco_stuff(config, "val")
    names = dataset.labels.names
    expected = [names.index(name) for name in ("person", "fire hydrant", "stop sign", "wood")] + [255]
    assert dataset[0].mask.tolist() == values_of(expected).tolist()
    assert (len(names), dataset.title, splits_of(config)) == (171, "COCO-Stuff 164k", ("train", "val"))


def test_the_164k_edition_is_read_from_the_zips_of_its_makers(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_picture(tmp_path / f"make/{split}2017/a.jpg")
        packed(tmp_path / "make" / f"{split}2017", "zip", f"{split}2017").rename(tmp_path / f"{split}2017.zip")
        write_grey(tmp_path / f"stuffthingmaps_trainval2017/{split}2017/a.png", values_of([181]))
    packed(tmp_path / "stuffthingmaps_trainval2017", "zip")
    (tmp_path / "stuffthingmaps_trainval2017").rename(tmp_path / "elsewhere")
    assert coco_stuff(CocoStuffConfig(root=tmp_path), "train")[0].mask.max() == 170


def test_all_182_ids_can_be_kept_as_released_models_have_them(tmp_path: Path) -> None:
    root = write_164k(tmp_path, *LAYOUTS[0], [0, 11, 181, 255])
    dataset = coco_stuff(CocoStuffConfig(root=root, classes=182), "train")
    assert dataset[0].mask.tolist() == values_of([0, 11, 181, 255]).tolist()
    assert dataset.labels.names == tuple(NAMES)


@pytest.mark.parametrize("value", [11, 182])
def test_a_value_that_no_class_has_is_refused_with_its_pixel(tmp_path: Path, value: int) -> None:
    root = write_164k(tmp_path, *LAYOUTS[0], [0, 1, 2, value])
    with pytest.raises(MaskError) as caught:
        coco_stuff(CocoStuffConfig(root=root), "train")[0]
    text = one_sentence(caught.value)
    assert f"000000000139.png has the value {value} at pixel (x 3, y 0), one of 6 in all" in text


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="atrous data download coco-stuff"):
        coco_stuff(CocoStuffConfig(root=tmp_path), "train")
    with pytest.raises(DatasetError, match="there is train, val"):
        coco_stuff(CocoStuffConfig(root=tmp_path), "xyz")
    write_10k(tmp_path, [0])
    with pytest.raises(DatasetError, match="all, test, train"):
        coco_stuff(CocoStuffConfig(root=tmp_path), "val")
    (tmp_path / "annotations/COCO_train2014_000000000077.mat").unlink()
    with pytest.raises(DatasetError, match="lists COCO_train2014_000000000077, but its mask"):
        coco_stuff(CocoStuffConfig(root=tmp_path), "train")


def test_the_older_edition_in_hdf5_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_10k(tmp_path, [0])
    (tmp_path / "annotations/COCO_train2014_000000000077.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(DatasetError, match="HDF5"):
        coco_stuff(CocoStuffConfig(root=tmp_path), "train")[0]
