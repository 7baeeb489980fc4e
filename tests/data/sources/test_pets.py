"""Oxford-IIIT Pet: trimaps become pet, species or breed."""

from pathlib import Path

import pytest

from atrous.data import splits_of
from atrous.data.sources.pets import PetsConfig, pets
from atrous.errors import DatasetError, DatasetNotFoundError, MaskError
from tests.data.sources.layouts import packed, values_of, write_grey, write_lines, write_picture
from tests.tiny_data import one_sentence

# name, breed among all, species (1 cat, 2 dog), breed in its species
TRAINVAL = ["Abyssinian_100 1 1 1", "great_pyrenees_7 3 2 2", *(f"beagle_{number} 2 2 1" for number in range(18))]
TEST = ["Abyssinian_2 1 1 1", "beagle_99 2 2 1"]


def write_pets(root: Path) -> Path:
    for line in (*TRAINVAL, *TEST):
        name = line.split()[0]
        write_picture(root / f"images/{name}.jpg")
        write_grey(root / f"annotations/trimaps/{name}.png", values_of([1, 2, 3]))
    (root / "annotations/trimaps/._Abyssinian_100.png").write_bytes(b"left by an archiver")
    (root / "images/Abyssinian_100.mat").write_bytes(b"left by its makers")
    write_lines(root / "annotations/list.txt", ["#Image CLASS-ID SPECIES BREED ID", *TRAINVAL, *TEST])
    write_lines(root / "annotations/trainval.txt", TRAINVAL)
    write_lines(root / "annotations/test.txt", TEST)
    return root


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_the_pet_is_1_the_background_0_and_the_border_ignored(tmp_path: Path, kind: str) -> None:
    config = PetsConfig(root=packed(write_pets(tmp_path / "pets"), kind, "oxford-iiit-pet"))
    dataset = pets(config, "test")
    assert dataset.labels.names == ("background", "pet")
    assert dataset[1].mask.tolist() == values_of([1, 0, 255]).tolist()
    assert [dataset[index].name for index in range(2)] == ["Abyssinian_2", "beagle_99"]


@pytest.mark.parametrize(
    ("classes", "border", "names", "values"),
    [
        ("species", "ignore", ("background", "cat", "dog"), [(1, 255), (2, 255)]),
        ("species", "pet", ("background", "cat", "dog"), [(1, 1), (2, 2)]),
        ("breed", "class", ("background", "Abyssinian", "beagle", "great pyrenees", "border"), [(1, 4), (3, 4)]),
        ("pet", "class", ("background", "pet", "border"), [(1, 2), (1, 2)]),
    ],
)
def test_the_name_of_a_picture_says_species_and_breed(
    tmp_path: Path, classes: str, border: str, names: tuple[str, ...], values: list[tuple[int, int]]
) -> None:
    config = PetsConfig.model_validate({"root": write_pets(tmp_path), "classes": classes, "border": border})
    dataset = pets(config, "trainval")
    assert dataset.labels.names == names
    for index, (pet, edge) in enumerate(values):
        assert dataset[index].mask.tolist() == values_of([pet, 0, edge]).tolist()
    assert dataset.fingerprint() != pets(PetsConfig(root=tmp_path), "trainval").fingerprint()


def test_train_and_val_are_drawn_from_trainval_and_say_so(tmp_path: Path) -> None:
    config = PetsConfig(root=write_pets(tmp_path), seed=3)
    assert splits_of(config) == ("train", "val", "test")
    train, val = pets(config, "train"), pets(config, "val")
    assert (len(train), len(val)) == (17, 3)
    names = [dataset[index].name for dataset in (train, val) for index in range(len(dataset))]
    assert sorted(names) == sorted(line.split()[0] for line in TRAINVAL)
    assert train.title == "Oxford-IIIT Pet (train and val drawn from trainval with seed 3)"


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="atrous data download pets"):
        pets(PetsConfig(root=tmp_path), "train")
    write_pets(tmp_path)
    with pytest.raises(DatasetError, match="did you mean `trainval`"):
        pets(PetsConfig(root=tmp_path), "trainvall")
    write_grey(tmp_path / "annotations/trimaps/Abyssinian_2.png", values_of([1, 2, 3, 4]))
    with pytest.raises(MaskError, match=r"Abyssinian_2\.png has the value 4"):
        pets(PetsConfig(root=tmp_path), "test")[0]
    write_lines(tmp_path / "annotations/test.txt", ["Abyssinian_2 one 1 1"])
    with pytest.raises(DatasetError) as caught:
        pets(PetsConfig(root=tmp_path), "test")
    assert "has the line 'Abyssinian_2 one 1 1'" in one_sentence(caught.value)
