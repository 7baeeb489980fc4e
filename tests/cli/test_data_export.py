from pathlib import Path

import numpy as np
import pytest

from atrous.data import open_split, parse_dataset
from tests.annotated_data import expected_mask, write_cvat_set
from tests.cli.terminal import Terminal


@pytest.mark.parametrize("kind", ["cvat", "labelme", "coco"])
def test_a_data_set_goes_out_and_comes_back(tmp_path: Path, kind: str, atrous: Terminal) -> None:
    write_cvat_set(tmp_path / "set")
    done = atrous("data", "export", f"cvat:{tmp_path / 'set'}", tmp_path / "out", "--to", kind)
    assert done.code == 0
    assert f"2 pictures written to {tmp_path / 'out'}; read them as {kind}:{tmp_path / 'out'}" in done.out + done.err
    read = open_split(parse_dataset(f"{kind}:{tmp_path / 'out'}"), "all")
    assert np.array_equal(read[1].mask, expected_mask())


def test_only_the_splits_that_are_named_are_written(tmp_path: Path, atrous: Terminal) -> None:
    done = atrous("data", "export", "shapes:0", tmp_path / "out", "--to", "labelme", "--split", "val", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["labels.txt", "val"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shapes:0", "out", "--to", "cvta"), "--to"),
        (("camvid:nowhere", "out", "--to", "cvat"), "There is no nowhere: give the folder"),
        (("shapes:0", "out", "--to", "cvat", "--split", "vall"), "vall"),
        (("shapes:0", ".", "--to", "cvat"), "is not empty"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: str, atrous: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("precious")
    done = atrous("data", "export", *arguments)
    assert done.code == 1
    assert words in done.err
    assert done.err.count("\n") == 1
