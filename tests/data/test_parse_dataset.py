from pathlib import Path

import pytest

from atrous.data import KINDS, DataConfig, open_split, parse_dataset
from atrous.data.folder import FolderConfig
from atrous.data.shapes import ShapesConfig
from atrous.data.sources.camvid import CamVidConfig
from atrous.errors import AtrousError, ConfigError
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
