from pathlib import Path

import pytest

from atrous.cli.demo import demo_recipe, require_own
from atrous.data import shapes
from atrous.evaluation.report import read_report
from atrous.training.recipe import recipe_text
from atrous.training.run_folder import RunFolder
from tests.cli.terminal import Terminal
from tests.training.runs import files_below, small_recipe


@pytest.fixture
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    few = shapes.ShapesConfig(height=32, width=48, train=4, val=2, test=3)
    monkeypatch.setattr(shapes, "ShapesConfig", lambda **_: few)


@pytest.mark.slow
@pytest.mark.usefixtures("_few_pictures")
def test_the_demo_writes_what_its_help_promises_and_a_second_one_replaces_it(atrous: Terminal, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    code, out, err = atrous("demo", "--output", demo, "--steps", 2)
    assert (code, err) == (0, "")
    for name in ("data/dataset.yaml", "best.safetensors", "report.json", "predictions", "index.html", "examples.png"):
        assert (demo / name).exists(), name
    report = read_report(demo / "report.json")
    assert (report.protocol.split, report.protocol.pictures) == ("test", 3)
    score = f"{report.scores.mean_iou:.1%}"
    assert score in out
    assert f"{100 * report.scores.mean_iou:.1f}" in (demo / "index.html").read_text()
    for line in (line for line in out.splitlines() if line.startswith(("Look at", "Type"))):
        paths = [Path(word) for word in line.split() if word.startswith(str(demo))]
        assert paths
        assert all(path.exists() for path in paths)

    best = (demo / "best.safetensors").read_bytes()
    assert atrous("demo", "--output", demo, "--steps", 3, "--quiet") == (0, "", "")
    assert (demo / "best.safetensors").read_bytes() != best


def foreign_run(folder: Path) -> None:
    (folder / "recipe.yaml").write_text(recipe_text(small_recipe()))


def foreign_run_of_that_name(folder: Path) -> None:
    (folder / "recipe.yaml").write_text(recipe_text(small_recipe({"kind": "folder", "root": "my/data"}, name="demo")))


def foreign_page(folder: Path) -> None:
    (folder / "index.html").write_text("my homepage")


def foreign_data(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "dataset.yaml").write_text("name: mine\nclasses: [{name: road}]\n")
    (folder / "data" / "photo.jpg").write_bytes(b"mine")


FOREIGN = [foreign_run, foreign_run_of_that_name, foreign_page, foreign_data]


@pytest.mark.parametrize("put", FOREIGN, ids=lambda put: put.__name__)
def test_a_folder_of_somebody_else_is_refused_and_stays_as_it_is(put: object, atrous: Terminal, tmp_path: Path) -> None:
    assert callable(put)
    put(tmp_path)
    before = files_below(tmp_path)
    sentence = atrous.fails("demo", "--output", tmp_path, "--steps", 1)
    assert str(tmp_path) in sentence
    assert "--output" in sentence
    assert "--resume" not in sentence  # the demo has no such option
    assert files_below(tmp_path) == before


def test_a_demo_in_the_place_of_a_file_is_refused(atrous: Terminal, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    assert str(tmp_path / "demo") in atrous.fails("demo", "--output", tmp_path / "demo")
    assert (tmp_path / "demo").read_text() == "mine"


def test_a_demo_that_was_stopped_while_it_drew_starts_again(tmp_path: Path) -> None:
    picture = tmp_path / "data" / "images" / "train" / "train_00000.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"drawn")
    require_own(RunFolder(tmp_path), demo_recipe(tmp_path / "data", 3))
