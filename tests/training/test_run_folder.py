from pathlib import Path

import pytest
import yaml

from atrous.errors import AtrousError, ConfigError, OutputError
from atrous.training.run_folder import RunFolder
from atrous.training.train import train
from tests.training.runs import files_below, small_recipe, write_data

SHORT = {"steps": 2, "validate_every": 2}


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(small_recipe(training=SHORT), folder)
    return folder


@pytest.fixture
def run(_finished: Path, tmp_path: Path) -> Path:
    """A finished run of two steps, with a file beside it that is not ours."""
    folder = tmp_path / "run"
    for name, content in files_below(_finished).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "notes.txt").write_text("mine")
    (folder / "events" / "mine.txt").write_text("mine too")
    return folder


def test_a_folder_that_holds_a_run_is_refused_and_stays_as_it_is(run: Path) -> None:
    before = files_below(run)
    with pytest.raises(OutputError, match=r"--resume, replace it with --overwrite, or choose another .* --output"):
        train(small_recipe(training=SHORT), run)
    assert files_below(run) == before


def test_overwrite_replaces_the_run_and_touches_no_file_of_others(run: Path) -> None:
    before = files_below(run)
    (run / "report.html").write_text("the old run's page")
    train(small_recipe(training={**SHORT, "seed": 1}), run, overwrite=True)
    after = files_below(run)
    assert after["notes.txt"] == b"mine"
    assert after["events/mine.txt"] == b"mine too"
    assert "report.html" not in after
    assert not {name for name in before if "tfevents" in name} & set(after)
    assert all(after[name] != before[name] for name in ("recipe.yaml", "best.safetensors", "state/state.safetensors"))


def test_a_folder_with_files_of_others_alone_is_welcome(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    train(small_recipe(training=SHORT), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_bad_data_leaves_the_older_run_intact_even_with_overwrite(run: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    (data / "masks" / "val" / "p1.png").unlink()
    before = files_below(run)
    with pytest.raises(AtrousError, match=r"p1\.png"):
        train(small_recipe(data, training=SHORT), run, overwrite=True)
    assert files_below(run) == before


def test_a_picture_found_damaged_by_the_first_check_leaves_the_older_run_intact(run: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    picture = data / "images" / "train" / "p2.png"
    picture.write_bytes(picture.read_bytes()[:-200])
    before = files_below(run)
    with pytest.raises(AtrousError, match=r"p2\.png"):
        train(small_recipe(data, training={**SHORT, "check_first": True}), run, overwrite=True)
    assert files_below(run) == before


def test_another_recipe_cannot_resume_and_the_key_is_named(run: Path) -> None:
    before = files_below(run)
    other = small_recipe(training=SHORT, optimizer={"kind": "sgd", "learning_rate": 0.07})
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate was 0.05 and is 0.07"):
        train(other, run, resume=True)
    assert files_below(run) == before


def test_a_finished_run_that_is_resumed_is_still_finished_and_the_same(run: Path) -> None:
    weights = (run / "best.safetensors").read_bytes()
    assert train(small_recipe(training=SHORT), run, resume=True).finished
    assert (run / "best.safetensors").read_bytes() == weights


def test_there_is_nothing_to_resume_where_no_run_is(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="leave out --resume"):
        train(small_recipe(), tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("way", ["resume", "overwrite"])
def test_a_run_killed_before_its_first_save_begins_anew_in_both_ways(way: str, tmp_path: Path) -> None:
    recipe = small_recipe(training=SHORT)
    folder = RunFolder(tmp_path)
    folder.begin(recipe)
    folder.close()
    folder.last.write_bytes(b"of the first save")
    with pytest.raises(OutputError, match=r"--resume, replace it with --overwrite"):
        train(recipe, tmp_path)
    assert train(recipe, tmp_path, resume=way == "resume", overwrite=way == "overwrite").finished


def test_a_run_whose_state_was_removed_is_not_begun_anew_by_resume(run: Path) -> None:
    (run / "state" / "state.safetensors").unlink()
    before = files_below(run)
    with pytest.raises(OutputError, match="start it anew with --overwrite"):
        train(small_recipe(training=SHORT), run, resume=True)
    assert files_below(run) == before


@pytest.mark.parametrize("way", ["resume", "overwrite"])
def test_what_a_killed_run_left_half_written_is_removed(way: str, run: Path) -> None:
    leftovers = [run / ".0123456789abcdef.part", run / "state" / ".fedcba9876543210.part"]
    for path in leftovers:
        path.write_bytes(b"half")
    train(small_recipe(training=SHORT), run, resume=way == "resume", overwrite=way == "overwrite")
    assert not any(path.exists() for path in leftovers)


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_is_no_folder_for_a_run(resume: bool, tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text("mine")
    with pytest.raises(OutputError, match=str(file)):
        train(small_recipe(), file, resume=resume)
    assert file.read_text() == "mine"


def test_a_run_from_before_a_choice_was_added_goes_on_with_its_default(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 2})
    folder = train(recipe, tmp_path).folder
    content = yaml.safe_load(folder.recipe.read_text())
    del content["loss"], content["training"]["best_by"]
    folder.recipe.write_text(yaml.safe_dump(content))
    assert train(recipe, tmp_path, resume=True).finished
