"""ADE20K as scene parsing and as the full set, whose classes are numbers in two channels."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from atrous.data.sources.ade20k import Ade20kConfig, ade20k
from atrous.data.stray_labels import stray_labels
from atrous.errors import DatasetError, DatasetNotFoundError
from atrous.known_classes import known_names
from tests.data.sources.layouts import (
    cells,
    packed,
    values_of,
    write_colors,
    write_grey,
    write_lines,
    write_mat,
    write_picture,
)
from tests.real import REAL, real
from tests.tiny_data import one_sentence

HEADER = "Idx\tRatio\tTrain\tVal\tStuff\tName"


def write_scene_parsing(root: Path) -> Path:
    for folder in ("training", "validation"):
        write_picture(root / f"images/{folder}/ADE_{folder}_1.jpg")
        write_grey(root / f"annotations/{folder}/ADE_{folder}_1.png", values_of([0, 1, 2, 150]))
    return root


def write_full_set(root: Path, folder: str, numbers: list[int]) -> Path:
    for part in ("training", "validation"):
        place = root / folder / part / "urban/street"
        write_picture(place / "ADE_1.jpg")
        values = values_of(numbers)
        red, green, blue = values // 256 * 10, values % 256, values_of(range(200))
        write_colors(place / "ADE_1_seg.png", np.stack((red, green, blue), axis=2).astype(np.uint8))
        write_colors(place / "ADE_1_parts_1.png", np.zeros((4, 6, 3), np.uint8))
    return root


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_zero_is_ignored_and_the_classes_count_from_one(tmp_path: Path, kind: str) -> None:
    root = packed(write_scene_parsing(tmp_path / "ade/ADEChallengeData2016").parent, kind)
    for split in ("train", "val"):
        dataset = ade20k(Ade20kConfig(root=root), split)
        assert dataset[0].mask.tolist() == values_of([255, 0, 1, 149]).tolist()
        assert dataset.labels.names == tuple(known_names("ade20k"))


def test_of_the_synonyms_in_its_list_the_usual_name_is_taken(tmp_path: Path) -> None:
    write_scene_parsing(tmp_path)
    names = [f"{name}x, {name}, other" for name in known_names("ade20k")]
    names[2] = "heaven, welkin"
    lines = [HEADER, *(f"{place}\t0.1\t2\t3\t1\t{name}" for place, name in enumerate(names, start=1))]
    write_lines(tmp_path / "objectInfo150.txt", lines)
    read = ade20k(Ade20kConfig(root=tmp_path), "val").labels.names
    assert (read[:4], len(read)) == (("wall", "building", "heaven", "floor"), 150)


def test_a_value_above_the_classes_is_a_stray_of_its_own_number(tmp_path: Path) -> None:
    write_scene_parsing(tmp_path)
    write_grey(tmp_path / "annotations/validation/ADE_validation_1.png", values_of([1, 151]))
    dataset = ade20k(Ade20kConfig(root=tmp_path), "val")
    assert stray_labels(dataset[0].mask, dataset.labels) == {151: 12}


@pytest.mark.parametrize("folder", ["images", "images/ADE"])
def test_the_full_set_takes_its_classes_from_its_index(tmp_path: Path, folder: str) -> None:
    names = [f"class {number}" for number in range(1, 3000)]
    names[41] = names[40]
    write_full_set(tmp_path, folder, [0, 1, 255, 256, 2999])
    write_mat(tmp_path / "index_ade20k.mat", index={"objectnames": cells(names), "objectcounts": np.ones(3)})
    dataset = ade20k(Ade20kConfig(root=tmp_path), "train")
    assert dataset[0].mask.tolist() == values_of([65535, 0, 254, 255, 2998]).tolist()
    assert dataset.labels.names[40:43] == ("class 41 (41)", "class 41 (42)", "class 43")
    assert len(dataset) == 1


def test_the_full_set_takes_its_classes_from_a_text_file_too(tmp_path: Path) -> None:
    write_full_set(tmp_path / "ade", "images", [1, 300])
    write_lines(tmp_path / "names.txt", [f"class {number}" for number in range(1, 301)])
    dataset = ade20k(Ade20kConfig(root=tmp_path / "ade", names=tmp_path / "names.txt"), "val")
    assert (dataset.labels.num_classes, int(dataset[0].mask.max())) == (300, 299)
    with pytest.raises(DatasetError, match="names_of_nothing"):
        ade20k(Ade20kConfig(root=tmp_path / "ade", names=tmp_path / "names_of_nothing"), "val")


def test_the_pickle_of_the_full_set_is_never_opened(tmp_path: Path) -> None:
    write_full_set(tmp_path, "images/ADE", [1])
    (tmp_path / "index_ade20k.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DatasetError) as caught:
        ade20k(Ade20kConfig(root=tmp_path), "val")
    assert "is a pickle and never opened" in one_sentence(caught.value)


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="atrous data download ade20k"):
        ade20k(Ade20kConfig(root=tmp_path), "val")
    with pytest.raises(DatasetError, match="there is train, val"):
        ade20k(Ade20kConfig(root=tmp_path), "xyz")
    write_scene_parsing(tmp_path)
    write_lines(tmp_path / "objectInfo150.txt", [HEADER, "1\tsky", "2\tsky"])
    with pytest.raises(DatasetError, match="no list of distinct classes"):
        ade20k(Ade20kConfig(root=tmp_path), "val")


@real
def test_the_real_pictures_of_ade20k_have_known_labels_only(tmp_path: Path) -> None:
    for folder in ("images", "annotations"):
        shutil.copytree(REAL / "ade20k_sample" / folder, tmp_path / folder / "validation")
    dataset = ade20k(Ade20kConfig(root=tmp_path), "val")
    assert len(dataset) == 3
    for index in range(3):
        assert stray_labels(dataset[index].mask, dataset.labels) == {}
