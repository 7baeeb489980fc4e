"""Clothing Co-Parsing: MATLAB's files, and a split that is drawn or listed."""

from pathlib import Path

import numpy as np
import pytest

from atrous.data import splits_of
from atrous.data.sources.clothing_co_parsing import ClothingCoParsingConfig, clothing_co_parsing
from atrous.data.stray_labels import stray_labels
from atrous.errors import DatasetError, DatasetNotFoundError
from tests.data.sources.layouts import cells, packed, values_of, write_lines, write_mat, write_picture
from tests.real import REAL, real

NAMES = ["null", "accessories", "bag", "t-shirt"]


def write_clothing(root: Path) -> Path:
    for number in range(1, 21):
        write_picture(root / f"photos/{number:04}.jpg")
        write_mat(root / f"annotations/pixel-level/{number:04}.mat", groundtruth=values_of([0, 1, 2, 3]).astype(float))
    write_picture(root / "photos/2000.jpg")  # one of those that have only tags
    write_mat(root / "annotations/image-level/2000.mat", tags=np.array([[1], [2]]))
    write_mat(root / "label_list.mat", label_list=cells(NAMES))
    return root


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_masks_and_names_come_out_of_matlab_files(tmp_path: Path, kind: str) -> None:
    config = ClothingCoParsingConfig(root=packed(write_clothing(tmp_path / "ccp"), kind, "clothing-co-parsing"))
    train, val = (clothing_co_parsing(config, split) for split in splits_of(config))
    assert (len(train), len(val), train.labels.names) == (17, 3, tuple(NAMES))
    assert train[0].mask.tolist() == values_of([0, 1, 2, 3]).tolist()
    assert train[0].mask.dtype == np.uint8
    assert "no split of its own: 85 % train and 15 % val drawn with seed 0" in train.title


def test_lists_of_names_make_the_splits(tmp_path: Path) -> None:
    write_clothing(tmp_path)
    for split, names in (("train", ["0003", "0001"]), ("test", ["0002"])):
        write_lines(tmp_path / f"{split}.txt", names)
    config = ClothingCoParsingConfig(root=tmp_path)
    assert splits_of(config) == ("train", "test")
    dataset = clothing_co_parsing(config, "train")
    assert (dataset.title, dataset[0].name) == ("Clothing Co-Parsing", "0003")
    with pytest.raises(DatasetError, match="has no split `val`"):
        clothing_co_parsing(config, "val")


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="github"):
        clothing_co_parsing(ClothingCoParsingConfig(root=tmp_path), "train")
    write_clothing(tmp_path)
    config = ClothingCoParsingConfig(root=tmp_path)
    write_mat(tmp_path / "label_list.mat", label_list=np.zeros((2, 2)))
    with pytest.raises(DatasetError, match="holds no list of names"):
        clothing_co_parsing(config, "train")
    (tmp_path / "label_list.mat").unlink()
    with pytest.raises(DatasetError, match=r"label_list\.mat cannot be read"):
        clothing_co_parsing(config, "train")
    (tmp_path / "photos/0001.jpg").unlink()
    with pytest.raises(DatasetError, match="lists 0001, but its picture"):
        [clothing_co_parsing(config, split) for split in ("train", "val")]


@real
def test_the_real_photos_have_known_labels_only() -> None:
    config = ClothingCoParsingConfig(root=REAL / "fashion")
    train, val = (clothing_co_parsing(config, split) for split in ("train", "val"))
    assert (len(train), len(val), train.labels.num_classes) == (212, 38, 59)
    for index in range(0, len(val), 5):
        sample = val[index]
        assert sample.image.shape == (*sample.mask.shape, 3)
        assert stray_labels(sample.mask, val.labels) == {}
