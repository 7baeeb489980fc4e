"""`atrous data convert`: what it prints, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atrous.data.folder import FolderConfig, folder
from tests.cli.terminal import Terminal
from tests.cli.test_help import HEAVY
from tests.data.sources.layouts import values_of, write_colors, write_grey, write_picture
from tests.data.sources.test_colour_masks import COLORS
from tests.data.sources.test_pets import write_pets


@pytest.mark.parametrize("command", [[], ["convert"], ["download"], ["export"]], ids=str)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['atrous', 'data', *{command!r}, '--help']\n"
        "from atrous.cli import main\n"
        "try: main()\n"
        f"finally: print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "\n")
    assert "Usage" in done.stdout


def test_any_kind_becomes_a_folder_with_choices_of_the_kind(atrous: Terminal, tmp_path: Path) -> None:
    write_pets(tmp_path / "pets")
    for source, kind in ((f"pets:{tmp_path / 'pets'}", []), (tmp_path / "pets", ["--from", "pets"])):
        target = tmp_path / f"out{len(kind)}"
        code, out, err = atrous("data", "convert", source, target, "classes=species", "border=pet", *kind)
        assert (code, err) == (0, "")
        assert "Oxford-IIIT Pet (train and val drawn from trainval with seed 0):" in out
        assert all(line in out for line in ("  train: 17 pictures\n", "  val: 3 pictures\n", "  test: 2 pictures\n"))
        assert folder(FolderConfig(root=target), "test").labels.names == ("background", "cat", "dog")


def test_a_folder_that_nobody_has_described_becomes_one_with_a_description(atrous: Terminal, tmp_path: Path) -> None:
    for number in range(10):
        write_picture(tmp_path / f"mine/images/{number}.jpg")
        write_grey(tmp_path / f"mine/masks/{number}.png", values_of([0, 1, 255]))
    code, out, _ = atrous("data", "convert", tmp_path / "mine", tmp_path / "out", "seed=4")
    assert code == 0
    assert "mine (no split of its own: 85 % train and 15 % val drawn with seed 4):\n  train: 8 pictures" in out
    assert (tmp_path / "out/dataset.yaml").exists()


def test_one_split_alone_and_quiet(atrous: Terminal, tmp_path: Path) -> None:
    arguments = ("shapes:0", tmp_path / "out", "train=3", "val=2", "height=32", "width=32", "--split", "val", "--quiet")
    assert atrous("data", "convert", *arguments) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "out/images").iterdir()) == ["val"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{mine}", "{out}", "--from", "voc"], ["No PASCAL VOC", "atrous data download voc"]),
        (["{mine}", "{out}", "--from", "vok"], ["no kind of data set `vok`", "did you mean `voc`"]),
        (["{mine}", "{out}", "subst=true"], ["no key `subst`"]),
        (["{mine}", "{out}", "--split", "tran"], ["did you mean `train`"]),
        (["{mine}", "{mine}"], ["is not empty"]),
        (["colour-masks:{mine}", "{out}"], ["no table of the masks' colours"]),
        (["{out}", "{out}"], ["There is no folder"]),
    ],
)
def test_what_is_wrong_is_one_sentence(
    atrous: Terminal, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"mine/images/{name}.jpg")
        write_grey(tmp_path / f"mine/masks/{name}.png", values_of([0, 1]))
    places = {"mine": tmp_path / "mine", "out": tmp_path / "out"}
    sentence = atrous.fails("data", "convert", *(argument.format(**places) for argument in arguments))
    assert all(word in sentence for word in words), sentence


def test_an_unknown_colour_stops_with_its_file_and_pixel(atrous: Terminal, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"town/images/{name}.jpg")
        write_colors(tmp_path / f"town/masks/{name}.png", COLORS)
    (tmp_path / "town/classes.json").write_text(json.dumps({"void": [0, 0, 0], "road": [128, 64, 128]}))
    sentence = atrous.fails("data", "convert", f"colour-masks:{tmp_path / 'town'}", tmp_path / "out")
    assert "the colour (0, 0, 142) at pixel (x 2, y 0)" in sentence
    assert not (tmp_path / "out/dataset.yaml").exists()


def test_pictures_are_added_to_a_folder_and_counted(atrous: Terminal, tmp_path: Path) -> None:
    small, mine = ("height=32", "width=32", "val=1", "test=1"), tmp_path / "mine"
    assert atrous("data", "convert", "shapes:4", mine, "train=2", *small).code == 0
    code, out, _ = atrous("data", "convert", "shapes:4", mine, "train=3", *small, "--add")
    assert code == 0
    assert "  train: 1 new, 0 with other labels than before, 2 as they were\n" in out
    assert len(folder(FolderConfig(root=mine), "train")) == 3
    assert "another picture" in atrous.fails("data", "convert", "shapes:5", mine, "train=3", *small, "--add")
