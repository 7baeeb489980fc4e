from contextlib import suppress
from pathlib import Path

import pytest

from atrous.data import KINDS, DataConfig, open_split, parse_dataset, splits_of
from atrous.data.folder import FolderConfig
from atrous.data.shapes import ShapesConfig
from atrous.data.sources.camvid import CamVidConfig
from atrous.data.sources.voc import VocConfig
from atrous.errors import AtrousError, ConfigError, DatasetError
from tests.tiny_data import one_sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data/mine", FolderConfig(root=Path("data/mine"))),
        ("folder:data/mine", FolderConfig(root=Path("data/mine"))),
        ("camvid:data/CamVid", CamVidConfig(root=Path("data/CamVid"))),
        ("camvid:a:b", CamVidConfig(root=Path("a:b"))),
        ("shapes:3", ShapesConfig(seed=3)),
        ("shapes", FolderConfig(root=Path("shapes"))),
        (r"C:\data\mine", FolderConfig(root=Path(r"C:\data\mine"))),
        ("./odd:name", FolderConfig(root=Path("odd:name"))),
        ("/data/odd:name", FolderConfig(root=Path("/data/odd:name"))),
        ("camvid:~/CamVid", CamVidConfig(root=Path.home() / "CamVid")),
    ],
)
def test_a_dataset_is_a_folder_or_a_kind_with_a_place(text: str, expected: DataConfig) -> None:
    assert parse_dataset(text) == expected


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("camvid:mine").mkdir()
    assert parse_dataset("camvid:mine") == FolderConfig(root=Path("camvid:mine"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("canvid:x", "did you mean `camvid`"),
        ("nothing:x", ", ".join(sorted(KINDS))),
        ("shapes:abc", "`seed`"),
        ("shapes:", "`seed`"),
        ("shapes:-1", "`seed`"),
    ],
)
def test_an_impossible_dataset_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dataset(text)
    assert words in one_sentence(caught.value)


@pytest.mark.parametrize("text", ["nowhere", "x" * 300, "camvid:" + "x" * 300, "", "a\0b"])
def test_a_place_that_is_nothing_is_one_sentence(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AtrousError) as caught:
        open_split(parse_dataset(text), "train")
    assert "\n" not in str(caught.value)


def test_every_kind_opens(tmp_path: Path) -> None:
    assert len(open_split(ShapesConfig(train=2), "train")) == 2
    for config in (FolderConfig(root=tmp_path), CamVidConfig(root=tmp_path)):
        with pytest.raises(AtrousError):
            open_split(config, "train")


def test_choices_of_a_kind_are_made_by_key_and_value(tmp_path: Path) -> None:
    config = parse_dataset(f"voc:{tmp_path}", ["subset=true", "masks=SegmentationClassAug"])
    assert config == VocConfig(root=tmp_path, subset=True, masks="SegmentationClassAug")
    with pytest.raises(ConfigError, match="no key `subst`; did you mean `subset`"):
        parse_dataset(f"voc:{tmp_path}", ["subst=true"])


def test_every_kind_says_its_splits_or_that_it_is_not_there(tmp_path: Path) -> None:
    assert splits_of(ShapesConfig()) == ("train", "val", "test")
    for kind in KINDS:
        if kind != "shapes":
            with suppress(DatasetError):  # some know theirs without looking
                assert splits_of(parse_dataset(f"{kind}:{tmp_path / 'nowhere'}"))
            with pytest.raises(DatasetError):
                open_split(parse_dataset(f"{kind}:{tmp_path / 'nowhere'}"), "train")
