from pathlib import Path

import numpy as np
import pytest

from atrous.data.samples import stray_labels
from atrous.data.sources.camvid import CAMVID_LABELS, CamVidConfig, camvid
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.images import write_image, write_mask
from tests.tiny_data import noise, one_sentence

REAL_CAMVID = Path(__file__).parents[4] / "shared" / "data" / "camvid"

LAYOUTS = [("images/{}", "masks/{}"), ("{}", "{}annot")]

ALL_VALUES = np.arange(12, dtype=np.uint8).reshape(3, 4)


def write_camvid(root: Path, layout: tuple[str, str], split: str) -> None:
    images, masks = (root / place.format(split) for place in layout)
    for name in ("0006R0_f00930", "0001TP_006690"):
        write_image(images / f"{name}.png", noise((3, 4), 0))
        write_mask(masks / f"{name}.png", ALL_VALUES, CAMVID_LABELS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts_are_understood_and_void_is_ignored(tmp_path: Path, layout: tuple[str, str]) -> None:
    for split in ("train", "val", "test"):
        write_camvid(tmp_path, layout, split)
        dataset = camvid(CamVidConfig(root=tmp_path), split)
        assert (dataset.title, dataset.split, len(dataset)) == ("CamVid", split, 2)
        assert dataset[0].name == "0001TP_006690"
        assert dataset[0].mask.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 255]]


@pytest.mark.parametrize(("split", "words"), [("vall", "did you mean `val`"), ("", "there is test, train, val")])
def test_an_unknown_split_is_answered_with_those_there_are(tmp_path: Path, split: str, words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        camvid(CamVidConfig(root=tmp_path), split)
    assert words in one_sentence(caught.value)


def test_a_split_that_is_not_there_names_both_layouts(tmp_path: Path) -> None:
    write_camvid(tmp_path, LAYOUTS[0], "train")
    with pytest.raises(DatasetNotFoundError) as caught:
        camvid(CamVidConfig(root=tmp_path), "test")
    text = one_sentence(caught.value)
    assert "images/test with masks/test" in text
    assert "testannot" in text


def test_the_folder_above_is_no_camvid(tmp_path: Path) -> None:
    write_camvid(tmp_path / "camvid", LAYOUTS[0], "train")
    with pytest.raises(DatasetNotFoundError, match="Give the folder that contains them"):
        camvid(CamVidConfig(root=tmp_path), "train")


def test_a_mask_without_its_picture_is_refused(tmp_path: Path) -> None:
    write_camvid(tmp_path, LAYOUTS[1], "val")
    (tmp_path / "val/0001TP_006690.png").unlink()
    with pytest.raises(DatasetError, match="has no picture"):
        camvid(CamVidConfig(root=tmp_path), "val")


@pytest.mark.real
@pytest.mark.skipif(not REAL_CAMVID.is_dir(), reason=f"there is no {REAL_CAMVID}")
@pytest.mark.parametrize(("split", "count"), [("train", 367), ("val", 101)])
def test_the_real_camvid_has_its_pictures_and_known_labels_only(split: str, count: int) -> None:
    dataset = camvid(CamVidConfig(root=REAL_CAMVID), split)
    assert len(dataset) == count
    for index in range(0, count, 40):
        sample = dataset[index]
        assert sample.mask.shape == (360, 480)
        assert not stray_labels(sample.mask, CAMVID_LABELS)
        assert (sample.mask != 255).mean() > 0.5
