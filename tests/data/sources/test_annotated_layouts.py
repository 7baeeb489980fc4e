"""What holds for all layouts of annotation tools: the same masks, out of folders and archives, and one sentence."""

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.errors import AtrousError, DatasetError, DatasetNotFoundError, MaskError
from atrous.images import write_image
from tests.annotated_data import NAMES, SIZE, WRITERS, expected_mask
from tests.tiny_data import noise, one_sentence

ALL = list(WRITERS)


@pytest.mark.parametrize("kind", ALL)
def test_every_layout_gives_the_same_masks(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    dataset = open_split(config, split)
    assert splits_of(config) == (split,)
    assert dataset.labels.names[0] == "background"
    assert (dataset.split, len(dataset)) == (split, 2)
    for index, name in enumerate(NAMES):
        sample = dataset[index]
        assert sample.name == name
        assert np.array_equal(sample.mask, expected_mask())
        assert sample.image.shape == (*SIZE, 3)
        if kind != "deepfashion2":  # its pictures are JPEG
            assert np.array_equal(sample.image, noise(SIZE, index))


@pytest.mark.parametrize("kind", ALL)
def test_a_zip_holds_the_same_as_its_folder(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted((tmp_path / "set").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "set"))
    packed = open_split(config.model_copy(update={"root": tmp_path / "set.zip"}), split)
    folder = open_split(config, split)
    assert packed.fingerprint() == folder.fingerprint()
    assert np.array_equal(packed[1].mask, folder[1].mask)
    assert "set.zip" in packed.source_of(0)


@pytest.mark.parametrize("kind", ALL)
def test_a_data_set_can_be_handed_to_another_process(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    dataset = open_split(write(tmp_path), split)
    before = dataset[0].mask
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[0].mask, before)
    assert copy.fingerprint() == dataset.fingerprint()


@pytest.mark.parametrize("kind", ALL)
def test_a_fingerprint_changes_with_any_picture(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    before = open_split(config, split).fingerprint()
    picture = next(path for path in sorted(tmp_path.rglob("a.*")) if path.suffix in (".png", ".jpg"))
    write_image(picture, noise(SIZE, 9))
    assert open_split(config, split).fingerprint() != before


@pytest.mark.parametrize("kind", ALL)
def test_an_unknown_split_is_answered_with_those_there_are(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    with pytest.raises(DatasetError) as caught:
        open_split(config, "nonsense")
    assert "has no split `nonsense`" in one_sentence(caught.value)
    assert split.removesuffix("2017") in str(caught.value)


@pytest.mark.parametrize("kind", ALL)
def test_an_empty_folder_says_what_was_looked_for(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path / "set")
    shutil.rmtree(tmp_path / "set")
    for _ in range(2):
        with pytest.raises(DatasetNotFoundError) as caught:
            open_split(config, split)
        assert str(tmp_path) in one_sentence(caught.value)
        (tmp_path / "set").mkdir(exist_ok=True)


@pytest.mark.parametrize("kind", ALL)
def test_an_annotation_without_its_picture_is_named(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    for path in tmp_path.rglob("b.*"):
        if path.suffix in (".png", ".jpg") and "panoptic" not in str(path):
            path.unlink()
    with pytest.raises(AtrousError) as caught:
        open_split(config, split)[1]
    text = one_sentence(caught.value)
    assert "b." in text
    assert str(tmp_path) in text


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind not in ("yolo", "deepfashion2")])
def test_a_picture_of_another_size_is_named_with_both_sizes(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    picture = next(path for path in sorted(tmp_path.rglob("b.png")) if "panoptic" not in str(path))
    write_image(picture, noise((5, 7), 0))
    with pytest.raises(MaskError) as caught:
        open_split(config, split)[1]
    text = one_sentence(caught.value)
    assert "12x10" in text
    assert "7x5" in text
    assert "b.png" in text


@pytest.mark.parametrize("kind", ALL)
def test_mutated_files_give_a_sample_or_one_sentence(kind: str, tmp_path: Path) -> None:
    write, split = WRITERS[kind]
    config = write(tmp_path)
    texts = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".xml", ".json", ".yaml", ".txt"))
    random = np.random.default_rng(0)
    for _ in range(150):
        path = texts[random.integers(len(texts))]
        whole = path.read_bytes()
        path.write_bytes(mutated(whole, random))
        try:
            dataset = open_split(config, split)
            for index in range(len(dataset)):
                assert dataset[index].mask.shape == SIZE
        except AtrousError as error:
            assert "\n" not in str(error)  # noqa: PT017 - many a mutation changes nothing
        path.write_bytes(whole)


TOKENS = (
    b'"',
    b"<",
    b">",
    b"{",
    b"]",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"99999999999999999999",
    b"[[",
    b"\xff",
    b"&x;",
    b"x",
)


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Cut, repeat, overwrite or replace a part."""
    start, end = sorted(random.integers(0, len(content) + 1, 2).tolist())
    match random.integers(5):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + content[end:]
        case 2:
            return content[:end] + content[start:]
        case 3:
            token = TOKENS[random.integers(len(TOKENS))]
            return content[:start] + token + content[start + len(token) :]
        case _:
            return replaced_number(content, random)


def replaced_number(content: bytes, random: np.random.Generator) -> bytes:
    digits = [place for place in range(len(content)) if content[place : place + 1].isdigit()]
    place = digits[random.integers(len(digits))] if digits else 0
    return content[:place] + TOKENS[random.integers(len(TOKENS))] + content[place + 1 :]
