import json
from pathlib import Path

import numpy as np
import pytest

from atrous.data.folder import FolderConfig, folder
from tests.cli.terminal import Terminal
from tests.data.faults.planted import load_mask, mask_file, save, write_clean


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_clean(tmp_path / "data")


def spoil(data: Path) -> None:
    mask = load_mask(mask_file(data, 7)).copy()
    mask[20:23, 30:34] = 37
    save(mask_file(data, 7), mask)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def test_a_clean_set_is_called_that(atrous: Terminal, data: Path) -> None:
    code, out, err = atrous("data", "check", data)
    assert (code, err) == (0, "")
    assert "12 of train, 6 of val pictures" in out
    assert "Nothing was found." in out


def test_a_fault_is_shown_written_mended_and_makes_the_exit_code_1(
    atrous: Terminal, data: Path, tmp_path: Path
) -> None:
    spoil(data)
    report, copy = tmp_path / "page", tmp_path / "mended"
    code, out, _ = atrous("data", "check", data, "--json", tmp_path / "c.json", "--output", report, "--repair", copy)
    assert code == 1
    words = " ".join(out.replace("│", " ").split())
    assert "value 37 on 12 pixels" in words
    assert json.loads((tmp_path / "c.json").read_text())["findings"][0]["value"] == 37
    page = (report / "report.html").read_text()
    assert "Values of no class" in page
    assert page.count("data:image/") == 2
    assert atrous("data", "check", copy, "--quiet") == (0, "", "")
    assert len(folder(FolderConfig(root=copy), "train")) == 12


def test_classes_of_a_folder_without_description_are_given_by_name(atrous: Terminal, data: Path) -> None:
    (data / "dataset.yaml").unlink()
    code, out, _ = atrous("data", "check", data, "--classes", ",".join("abcdefghij"))
    assert code == 0
    assert "as they were given" in " ".join(out.replace("│", " ").split())


def test_what_is_worth_knowing_leaves_the_exit_code_0(atrous: Terminal, data: Path) -> None:
    save(mask_file(data, 3), np.full((96, 128), 255, np.uint8))
    code, out, _ = atrous("data", "check", data)
    assert code == 0
    assert "Nothing spoils training." in out


def test_statistics_are_printed_and_written(atrous: Terminal, data: Path, tmp_path: Path) -> None:
    code, out, err = atrous("data", "stats", data, "--json", tmp_path / "s.json", "--output", tmp_path / "page")
    assert (code, err) == (0, "")
    assert "12 pictures" in out
    assert "128x96 (12)" in out
    assert [split["split"] for split in json.loads((tmp_path / "s.json").read_text())["splits"]] == ["train", "val"]
    page = (tmp_path / "page" / "report.html").read_text()
    assert page.count("data:image/") == 12
    assert "<rect" in page


def test_a_new_division_is_written_and_can_be_checked(atrous: Terminal, data: Path, tmp_path: Path) -> None:
    code, out, err = atrous("data", "split", data, tmp_path / "new", "--fractions", "train=0.5,val=0.25,test=0.25")
    assert (code, err) == (0, "")
    assert "pictures" in out
    sizes = [len(folder(FolderConfig(root=tmp_path / "new"), name)) for name in ("train", "val", "test")]
    assert sum(sizes) == 18
    assert 8 <= sizes[0] <= 10
    assert atrous("data", "check", tmp_path / "new")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "{tmp}/nowhere"], "There is no"),
        (["check", "camvit:{tmp}"], "did you mean `camvid`"),
        (["stats", "{tmp}/nowhere"], "There is no folder"),
        (["split", "{tmp}/data", "{tmp}/new", "--fractions", "train=2"], "add up to 2"),
        (["split", "{tmp}/data", "{tmp}/new", "--from", "tain"], "no split `tain`"),
        (["split", "{tmp}/data", "{tmp}/new", "--group", "x", "--groups", "y.csv"], "give one of them"),
    ],
)
def test_what_a_user_got_wrong_is_one_sentence(
    atrous: Terminal, data: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    assert data.exists()
    assert words in atrous.fails("data", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert not (tmp_path / "new").exists()
