"""Cityscapes: 34 ids become 19 classes."""

from pathlib import Path
from typing import Literal

import pytest

from atrous.data import splits_of
from atrous.data.sources.cityscapes import CITYSCAPES_LABELS, CityscapesConfig, cityscapes
from atrous.data.stray_labels import stray_labels
from atrous.errors import DatasetError, DatasetNotFoundError
from tests.data.sources.layouts import packed, values_of, write_grey, write_picture
from tests.tiny_data import one_sentence

# The table of the makers' own scripts: the id and what it is called there; those with * are not trained.
IDS = """unlabeled* ego_vehicle* rectification_border* out_of_roi* static* dynamic* ground* road sidewalk parking*
rail_track* building wall fence guard_rail* bridge* tunnel* pole polegroup* traffic_light traffic_sign vegetation
terrain sky person rider car truck bus caravan* trailer* train motorcycle bicycle""".split()  # noqa: SIM905

Annotations = Literal["fine", "coarse"]


def write_cityscapes(root: Path, splits: tuple[str, ...], folder: str = "gtFine") -> Path:
    for split in splits:
        for name in ("aachen/aachen_000000_000019", "zurich/zurich_000001_000019"):
            write_picture(root / f"leftImg8bit/{split}/{name}_leftImg8bit.png", size=(6, 6))
            mask = root / f"{folder}/{split}/{name}_{folder}"
            write_grey(mask.with_name(f"{mask.name}_labelIds.png"), values_of(range(len(IDS)), (6, 6)))
            write_grey(mask.with_name(f"{mask.name}_labelTrainIds.png"), values_of([*range(19), 255], (6, 6)))
            write_picture(mask.with_name(f"{mask.name}_color.png"))
    return root


@pytest.mark.parametrize(("annotations", "folder"), [("fine", "gtFine"), ("coarse", "gtCoarse")])
def test_each_id_becomes_the_class_of_its_name_or_is_ignored(
    tmp_path: Path, annotations: Annotations, folder: str
) -> None:
    write_cityscapes(tmp_path, ("train",), folder)
    dataset = cityscapes(CityscapesConfig(root=tmp_path, annotations=annotations), "train")
    names = [name.replace("_", " ") for name in IDS]
    expected = [255 if name.endswith("*") else CITYSCAPES_LABELS.names.index(name) for name in names]
    assert sorted({*expected} - {255}) == list(range(19))
    sample = dataset[1]
    assert sample.mask.tolist() == values_of(expected, (6, 6)).tolist()
    assert (len(dataset), sample.name) == (2, "zurich_000001_000019_leftImg8bit")


def test_files_of_train_ids_are_read_as_they_are(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, ("val",))
    dataset = cityscapes(CityscapesConfig(root=tmp_path, masks="labelTrainIds"), "val")
    assert dataset[0].mask.tolist() == values_of([*range(19), 255], (6, 6)).tolist()


def test_an_id_that_does_not_exist_stays_a_stray_of_its_own_number(tmp_path: Path) -> None:
    write_cityscapes(tmp_path, ("val",))
    write_grey(tmp_path / "gtFine/val/aachen/aachen_000000_000019_gtFine_labelIds.png", values_of([7, 37], (6, 6)))
    assert stray_labels(cityscapes(CityscapesConfig(root=tmp_path), "val")[0].mask, CITYSCAPES_LABELS) == {37: 18}


def test_the_zips_of_its_makers_are_read_in_place(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path / "unpacked", ("train", "val"))
    (tmp_path / "zips").mkdir()
    for folder, name in (("leftImg8bit", "leftImg8bit_trainvaltest.zip"), ("gtFine", "gtFine_trainvaltest.zip")):
        packed(root / folder, "zip", folder).rename(tmp_path / "zips" / name)
    config = CityscapesConfig(root=tmp_path / "zips")
    assert len(cityscapes(config, "val")) == 2
    assert splits_of(config) == ("train", "val")


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="login"):
        cityscapes(CityscapesConfig(root=tmp_path), "train")
    with pytest.raises(DatasetError, match="not public"):
        cityscapes(CityscapesConfig(root=tmp_path), "test")
    with pytest.raises(DatasetError) as caught:
        cityscapes(CityscapesConfig(root=tmp_path), "train_extra")
    assert "with fine annotations" in one_sentence(caught.value)
    write_cityscapes(tmp_path, ("train",))
    (tmp_path / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(DatasetError, match="has no mask"):
        cityscapes(CityscapesConfig(root=tmp_path), "train")
