from pathlib import Path

import numpy as np
import pytest
import yaml

from atrous.config import parse
from atrous.data.folder import (
    EXAMPLE_DESCRIPTION,
    FolderConfig,
    FolderDescription,
    folder,
    read_description,
    write_folder,
)
from atrous.data.samples import Sample
from atrous.errors import AtrousError, ConfigError, DatasetError, DatasetNotFoundError, OutputError
from atrous.images import write_image, write_mask
from atrous.labels import LabelSpace, Mask, voc_colors
from tests.tiny_data import LABELS, InMemory, noise, one_sentence, painted, random_mask, write_pairs

CLASSES = "classes: [{name: ground}, {name: cat}, {name: dog}]"


def described(root: Path, text: str) -> FolderConfig:
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.yaml").write_text(text)
    return FolderConfig(root=root)


def refused(root: Path, text: str, split: str = "train") -> str:
    with pytest.raises(AtrousError) as caught:
        folder(described(root, text), split)
    return one_sentence(caught.value)


@pytest.mark.parametrize("count", [3, 255, 300])
def test_what_was_written_is_read_again(tmp_path: Path, count: int) -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(count)])
    splits = [
        InMemory([painted(random_mask((9, 7), i, labels), f"{split}.{i}", labels) for i in range(3)], labels, split)
        for split in ("train", "val")
    ]
    write_folder(tmp_path, splits)
    for written in splits:
        read = folder(FolderConfig(root=tmp_path), written.split)
        assert (read.title, read.split, read.labels, len(read)) == ("tiny", written.split, labels, 3)
        for index in range(3):
            assert read[index].name == written[index].name
            assert np.array_equal(read[index].image, written[index].image)
            assert np.array_equal(read[index].mask, written[index].mask)
            assert read[index].mask.dtype == labels.mask_dtype


def test_writing_again_gives_the_same_folder(tmp_path: Path) -> None:
    dataset = InMemory([painted(random_mask((5, 5), 0), "a")])
    prints = []
    for _ in range(2):
        write_folder(tmp_path, [dataset])
        prints.append(folder(FolderConfig(root=tmp_path), "train").fingerprint())
    assert prints[0] == prints[1]


def test_pictures_of_an_older_data_set_are_not_taken_in(tmp_path: Path) -> None:
    write_pairs(tmp_path, "train", 1)
    with pytest.raises(OutputError) as caught:
        write_folder(tmp_path, [InMemory([painted(random_mask((5, 5), 0), "a")])])
    assert f"{tmp_path}/images/train/00.png is not of tiny" in one_sentence(caught.value)
    assert not (tmp_path / "dataset.yaml").exists()


def test_an_unknown_split_is_answered_with_those_there_are(tmp_path: Path) -> None:
    text = refused(tmp_path, f"{{name: tiny, {CLASSES}, splits: [train, val]}}", "vall")
    assert "did you mean `val`" in text


def test_a_missing_description_is_shown_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        folder(FolderConfig(root=tmp_path), "train")
    assert EXAMPLE_DESCRIPTION in one_sentence(caught.value)
    description = parse(FolderDescription, yaml.safe_load(EXAMPLE_DESCRIPTION), "example")
    assert description.labels.names == ("background", "road")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        folder(FolderConfig(root=tmp_path / "nowhere"), "train")
    assert f"{tmp_path}/nowhere" in one_sentence(caught.value)


@pytest.mark.parametrize("place", ["images", "masks"])
def test_a_missing_folder_of_a_split_is_named(tmp_path: Path, place: str) -> None:
    write_pairs(tmp_path, "train", 1)
    (tmp_path / place / "train").rename(tmp_path / place / "other")
    assert f"{tmp_path}/{place}/train" in refused(tmp_path, f"{{name: tiny, {CLASSES}}}")


@pytest.mark.parametrize(("lonely", "missing"), [("images", "masks"), ("masks", "images")])
def test_a_file_without_its_partner_is_named_and_never_paired_by_order(
    tmp_path: Path, lonely: str, missing: str
) -> None:
    write_pairs(tmp_path, "train", 3)
    (tmp_path / missing / "train/01.png").unlink()
    (tmp_path / missing / "train/02.png").rename(tmp_path / missing / "train/01b.png")
    with pytest.raises(DatasetError) as caught:
        folder(described(tmp_path, f"{{name: tiny, {CLASSES}}}"), "train")
    assert ("01.png" if lonely == "images" else "01b.png") in one_sentence(caught.value)


@pytest.mark.parametrize("value", [3, 254, 300, 65535])
def test_another_ignore_value_becomes_ours(tmp_path: Path, value: int) -> None:
    mask: Mask = np.array([[0, 1, 2, value]], np.uint8 if value < 256 else np.uint16)
    many = LabelSpace.from_names([str(index) for index in range(3 if value < 256 else 300)])
    write_image(tmp_path / "images/train/a.png", noise((1, 4), 0))
    write_mask(tmp_path / "masks/train/a.png", mask, many)
    dataset = folder(described(tmp_path, f"{{name: tiny, {CLASSES}, ignore_index: {value}}}"), "train")
    assert dataset[0].mask.tolist() == [[0, 1, 2, 255]]


@pytest.mark.parametrize("value", [0, 2])
def test_an_ignore_value_that_is_a_class_is_refused(tmp_path: Path, value: int) -> None:
    text = refused(tmp_path, f"{{name: tiny, {CLASSES}, ignore_index: {value}}}")
    assert f"`ignore_index` is {value}, which is also the class {LABELS.names[value]!r}" in text
    assert "such as 255" in text


def test_class_255_of_300_is_a_class_unless_something_else_is_said(tmp_path: Path) -> None:
    many = LabelSpace.from_names([f"class {index}" for index in range(300)])
    mask = np.array([[0, 255, 299, 65535]], np.uint16)
    write_folder(tmp_path, [InMemory([Sample(noise((1, 4), 0), mask, "a")], many)])
    content = yaml.safe_load((tmp_path / "dataset.yaml").read_text())
    del content["ignore_index"]
    dataset = folder(described(tmp_path, yaml.safe_dump(content)), "train")
    assert dataset[0].mask.tolist() == [[0, 255, 299, 65535]]
    assert "such as 65535" in refused(tmp_path, yaml.safe_dump({**content, "ignore_index": 255}))


def test_classes_without_a_colour_get_one(tmp_path: Path) -> None:
    description = read_description(
        described(tmp_path, "{name: tiny, classes: [{name: a}, {name: b, color: [1, 2, 3]}, {name: c}]}").root
    )
    colors = voc_colors(3)
    assert description.labels.colors == (colors[0], (1, 2, 3), colors[2])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: tiny, classes: [{name: a}, {name: a}]}", "the class name 'a' stands 2 times"),
        ("{name: tiny, classes: []}", "`classes`"),
        ("{name: tiny, classes: [{name: ''}]}", "`classes.0.name`"),
        ("{name: tiny, classes: [{name: a, color: [0, 0, 256]}]}", "`classes.0.color.2`"),
        ("{name: tiny, classes: [{nme: a}]}", "did you mean `name`"),
        ("{name: tiny, classes: [a, b]}", "`classes.0`: a table of keys was expected"),
        ("{name: tiny, classes: [{name: a}], ignore_index: -1}", "`ignore_index`"),
        ("{name: tiny, classes: [{name: a}], ignore_index: 70000}", "`ignore_index`"),
        ("{name: tiny, classes: [{name: a}], splits: []}", "`splits`"),
        ("{classes: [{name: a}]}", "`name`: this key is missing"),
        ("{name: tiny, classes: [{name: a}", "no valid YAML"),
        ("- a\n- b", "a list where a table"),
        ("", "nothing where a table"),
        ("name: !!python/object/apply:os.system [ls]", "no valid YAML"),
    ],
)
def test_a_malformed_description_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        folder(described(tmp_path, text), "train")
    sentence = one_sentence(caught.value)
    assert words in sentence
    assert f"{tmp_path}/dataset.yaml" in sentence


def test_stems_pair_whatever_their_suffix_and_folder(tmp_path: Path) -> None:
    for name, seed in (("b/x", 0), ("a/x", 1), ("y", 2)):
        write_image(tmp_path / f"images/train/{name}.jpg", noise((4, 4), seed))
        write_mask(tmp_path / f"masks/train/{name}.png", random_mask((4, 4), seed), LABELS)
    dataset = folder(described(tmp_path, f"{{name: tiny, {CLASSES}}}"), "train")
    assert [Path(dataset.source_of(index)).parent.name for index in range(3)] == ["a", "b", "train"]
    for index, seed in enumerate((1, 0, 2)):
        assert np.array_equal(dataset[index].mask, random_mask((4, 4), seed))
    assert len({dataset[index].name for index in range(3)}) == 3
