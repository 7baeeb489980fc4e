"""VOC, SBD and their union: 10,582 pictures to train on, and no picture of val among them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.data import open_split, parse_dataset, splits_of
from atrous.data.samples import SegmentationDataset
from atrous.data.sources import voc_trainaug as trainaug_module
from atrous.data.sources.sbd import SbdConfig, sbd
from atrous.data.sources.voc import VOC_LABELS, VocConfig, voc, voc_splits
from atrous.data.sources.voc_trainaug import PICTURES, VocTrainaugConfig, voc_trainaug
from atrous.data.stray_labels import stray_labels
from atrous.errors import AtrousError, DatasetError, DatasetNotFoundError, MaskError
from tests.data.sources.layouts import packed, values_of, write_grey, write_lines, write_mat, write_picture
from tests.real import REAL, real
from tests.tiny_data import one_sentence

TRAIN, VAL = ("2007_000032", "2007_000039", "2007_000063"), ("2007_000033", "2007_000042")
BEYOND = ("2008_000009", "2008_000015")
"""Pictures that only SBD has masks of."""

OWN, OTHER = values_of([0, 1, 20, 255]), values_of([0, 5, 20])


def write_voc(root: Path, masks: str = "SegmentationClass") -> Path:
    for name in (*TRAIN, *VAL, *BEYOND):
        write_picture(root / f"JPEGImages/{name}.jpg")
    for name in (*TRAIN, *VAL):
        write_grey(root / f"{masks}/{name}.png", OWN)
    for split, names in (("train", TRAIN), ("val", VAL), ("trainval", sorted((*TRAIN, *VAL)))):
        write_lines(root / f"ImageSets/Segmentation/{split}.txt", names)
    return root


def segmentation(values: NDArray[np.integer]) -> dict[str, object]:
    """What SBD's files hold, of which only one field is read."""
    return {"Boundaries": np.zeros((20, 1)), "Segmentation": values.astype(np.uint8), "CategoriesPresent": 5}


def write_sbd(root: Path) -> Path:
    """As SBD's own split is: pictures of VOC's val are in train, too."""
    for name in (TRAIN[0], VAL[0], *BEYOND):
        write_picture(root / f"img/{name}.jpg")
        write_mat(root / f"cls/{name}.mat", GTcls=segmentation(OTHER))
    write_lines(root / "train.txt", (TRAIN[0], VAL[0], BEYOND[0]))
    write_lines(root / "val.txt", (BEYOND[1],))
    return root


def names_of(dataset: SegmentationDataset) -> list[str]:
    return [dataset[index].name for index in range(len(dataset))]


def refused(config: VocConfig | SbdConfig | VocTrainaugConfig, split: str = "train") -> str:
    with pytest.raises(DatasetError) as caught:
        open_split(config, split)
    return one_sentence(caught.value)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny trainaug counts as the whole."""
    monkeypatch.setattr(trainaug_module, "PICTURES", len(TRAIN) + len(BEYOND))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_voc_is_found_in_a_folder_above_it_and_in_archives(tmp_path: Path, kind: str) -> None:
    write_voc(tmp_path / "kit/VOCdevkit/VOC2012")
    config = VocConfig(root=packed(tmp_path / "kit", kind))
    for split, names in (("train", TRAIN), ("val", VAL), ("trainval", sorted((*TRAIN, *VAL)))):
        dataset = voc(config, split)
        assert (dataset.title, dataset.labels, names_of(dataset)) == ("PASCAL VOC 2012", VOC_LABELS, list(names))
        assert dataset[0].mask.tolist() == OWN.tolist()
    assert voc_splits(config) == ("train", "val")


def test_of_several_years_2012_is_taken_and_2007_when_it_is_named(tmp_path: Path) -> None:
    for year in ("2007", "2012"):
        write_voc(tmp_path / f"VOCdevkit/VOC{year}")
    assert voc(VocConfig(root=tmp_path), "val").title == "PASCAL VOC 2012"
    assert voc(VocConfig(root=tmp_path / "VOCdevkit/VOC2007"), "val").title == "PASCAL VOC 2007"


def test_the_masks_of_the_augmented_list_are_those_of_its_folder(tmp_path: Path) -> None:
    write_voc(tmp_path)
    lines = [f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png" for name in (*TRAIN, *BEYOND)]
    write_lines(tmp_path / "ImageSets/Segmentation/train_aug.txt", lines)
    for name in (*TRAIN, *BEYOND):
        write_grey(tmp_path / f"SegmentationClassAug/{name}.png", OTHER)
    for split in ("train_aug", "trainaug"):
        dataset = voc(VocConfig(root=tmp_path), split)
        assert names_of(dataset) == [*TRAIN, *BEYOND]
        assert dataset[0].mask.tolist() == OTHER.tolist()
    assert voc(VocConfig(root=tmp_path), "train")[0].mask.tolist() == OWN.tolist()
    augmented = VocConfig(root=tmp_path, masks="SegmentationClassAug")
    assert voc(augmented, "train")[0].mask.tolist() == OTHER.tolist()


def test_a_listed_file_that_is_missing_is_refused_or_counted_if_a_subset_is_asked_for(tmp_path: Path) -> None:
    write_voc(tmp_path)
    (tmp_path / f"SegmentationClass/{TRAIN[1]}.png").unlink()
    text = refused(VocConfig(root=tmp_path))
    assert f"lists {TRAIN[1]}, but its mask {tmp_path}/SegmentationClass/{TRAIN[1]}.png is not there" in text
    dataset = voc(VocConfig(root=tmp_path, subset=True), "train")
    assert (dataset.title, names_of(dataset)) == ("PASCAL VOC (2 of 3 listed pictures)", [TRAIN[0], TRAIN[2]])


def test_a_list_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    write_voc(tmp_path)
    assert "did you mean `train`" in refused(VocConfig(root=tmp_path), "tarin")
    with pytest.raises(DatasetNotFoundError, match="atrous data download voc"):
        voc(VocConfig(root=tmp_path / "JPEGImages"), "train")


def test_a_list_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    write_picture(tmp_path / "secret.jpg")
    write_grey(tmp_path / "secret.png", OWN)
    write_lines(tmp_path / "voc/ImageSets/Segmentation/train.txt", ["../../secret"])
    assert "secret" in refused(VocConfig(root=tmp_path / "voc"))


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_sbd_is_read_from_matlab_files(tmp_path: Path, kind: str) -> None:
    write_sbd(tmp_path / "sbd/benchmark_RELEASE/dataset")
    dataset = sbd(SbdConfig(root=packed(tmp_path / "sbd", kind)), "train")
    assert names_of(dataset) == [TRAIN[0], VAL[0], BEYOND[0]]
    assert dataset[0].mask.tolist() == OTHER.tolist()
    assert dataset[0].mask.dtype == np.uint8
    assert dataset.source_of(0).endswith(f"cls/{TRAIN[0]}.mat")
    assert pickle.loads(pickle.dumps(dataset))[1].mask.tolist() == OTHER.tolist()


def test_sbd_without_val_needs_a_list_that_is_not_in_its_archive(tmp_path: Path) -> None:
    config = SbdConfig(root=write_sbd(tmp_path))
    assert "atrous data download sbd" in refused(config, "train_noval")
    write_lines(tmp_path / "train_noval.txt", BEYOND)
    assert names_of(sbd(config, "train_noval")) == list(BEYOND)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no file of MATLAB"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "-v7"),
        (b"MATLAB 5.0 MAT-file" + b" " * 200, "damaged"),
    ],
)
def test_a_damaged_mask_of_sbd_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    config = SbdConfig(root=write_sbd(tmp_path))
    (tmp_path / f"cls/{TRAIN[0]}.mat").write_bytes(content)
    with pytest.raises(AtrousError, match=words) as caught:
        sbd(config, "train")[0]
    assert f"{TRAIN[0]}.mat" in one_sentence(caught.value)


def test_a_matlab_file_of_something_else_is_no_mask(tmp_path: Path) -> None:
    config = SbdConfig(root=write_sbd(tmp_path))
    write_mat(tmp_path / f"cls/{TRAIN[0]}.mat", GTcls=np.zeros((4, 6)))
    with pytest.raises(MaskError, match=r"no matrix GTcls\.Segmentation"):
        sbd(config, "train")[0]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_trainaug_is_vocs_train_and_sbd_without_vocs_val_and_takes_vocs_own_masks(tmp_path: Path, kind: str) -> None:
    write_voc(tmp_path / "all/kit/VOCdevkit/VOC2012")
    write_sbd(tmp_path / "all/sbd/benchmark_RELEASE/dataset")
    if kind == "tar":
        for folder in ("kit", "sbd"):
            packed(tmp_path / "all" / folder, kind)
            (tmp_path / "all" / folder).rename(tmp_path / folder)
    config = VocTrainaugConfig(root=tmp_path / "all")
    dataset = voc_trainaug(config, "train")
    assert (dataset.title, names_of(dataset)) == ("PASCAL VOC 2012 trainaug", [*TRAIN, *BEYOND])
    assert [dataset[place].mask.tolist() == OWN.tolist() for place in range(5)] == [True] * 3 + [False] * 2
    assert dataset[4].mask.tolist() == OTHER.tolist()
    assert names_of(voc_trainaug(config, "val")) == list(VAL)
    assert splits_of(config) == ("train", "val")


@pytest.mark.usefixtures("few")
def test_trainaug_finds_sbd_where_it_is_said_to_be(tmp_path: Path) -> None:
    config = VocTrainaugConfig(root=write_voc(tmp_path / "voc"))
    text = refused(config)
    assert "atrous data download sbd" in text
    named = VocTrainaugConfig(root=config.root, sbd=write_sbd(tmp_path / "sbd"))
    assert len(voc_trainaug(named, "train")) == 5


def test_another_number_of_pictures_is_no_trainaug_unless_a_subset_is_asked_for(tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    write_sbd(tmp_path / "sbd")
    text = refused(VocTrainaugConfig(root=tmp_path))
    assert "has 5 pictures, but that of the papers has 10,582" in text
    dataset = voc_trainaug(VocTrainaugConfig(root=tmp_path, subset=True), "train")
    assert dataset.title == "PASCAL VOC 2012 trainaug (5 of 10582 pictures)"


def test_trainaug_of_10582_pictures_is_accepted_from_lists_alone(tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    extra = [f"2011_{number:06}" for number in range(PICTURES - len(TRAIN))]
    write_lines(tmp_path / "voc/ImageSets/Segmentation/train_aug.txt", [*TRAIN, *extra])
    for name in TRAIN:
        write_grey(tmp_path / f"voc/SegmentationClassAug/{name}.png", OTHER)
    assert f"lists {extra[0]}, but its picture" in refused(VocTrainaugConfig(root=tmp_path))
    dataset = voc_trainaug(VocTrainaugConfig(root=tmp_path, subset=True), "train")
    assert dataset.title == "PASCAL VOC 2012 trainaug (3 of 10582 pictures)"
    assert dataset[0].mask.tolist() == OTHER.tolist()


def test_a_ready_made_list_with_a_picture_of_val_is_refused_even_as_a_subset(tmp_path: Path) -> None:
    write_voc(tmp_path, "SegmentationClassAug")
    write_lines(tmp_path / "ImageSets/Segmentation/trainaug.txt", [*TRAIN, VAL[1]])
    text = refused(VocTrainaugConfig(root=tmp_path, subset=True))
    assert f"lists {VAL[1]} (1 in all), which is in VOC's val" in text


@real
def test_the_real_lists_of_trainaug_and_val_share_no_picture() -> None:
    train, val = ((REAL / f"voc/lists/{name}.txt").read_text().split() for name in ("train_aug", "val"))
    assert (len(set(train)), len(set(val)), len({*train} & {*val})) == (PICTURES, 1449, 0)


@real
@pytest.mark.parametrize(("split", "count"), [("trainaug", 520), ("val", 222)])
def test_the_real_pictures_of_voc_have_known_labels_only(split: str, count: int) -> None:
    dataset = open_split(parse_dataset(f"voc:{REAL / 'voc'}"), split)
    assert (len(dataset), dataset.title) == (count, "PASCAL VOC 2012")
    for index in range(0, count, 37):
        sample = dataset[index]
        assert sample.image.shape == (*sample.mask.shape, 3)
        assert stray_labels(sample.mask, VOC_LABELS) == {}
    assert "520 of" in voc_trainaug(VocTrainaugConfig(root=REAL / "voc", subset=True), "train").title
