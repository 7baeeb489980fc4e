from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.training.recipe import recipe_text
from tests.cli.terminal import Terminal
from tests.training.runs import files_below, small_recipe, write_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


@pytest.fixture
def recipe(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(recipe_text(small_recipe(data, training={"steps": 2, "check_first": True})))
    return path


def test_training_writes_everything_that_its_help_promises(atrous: Terminal, recipe: Path, tmp_path: Path) -> None:
    code, out, err = atrous("train", recipe, "--output", tmp_path / "run")
    assert (code, err) == (0, "")
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written == {
        *("best.safetensors", "last.safetensors", "state", "recipe.yaml"),
        *("log.jsonl", "log.csv", "events", "report.json", "report.html"),
        *("settings.json", "first_batch.png"),
    }
    assert f"atrous predict {tmp_path / 'run' / 'best.safetensors'}" in out
    assert "mIoU" in out
    assert "weight decay" in out


def test_quiet_training_prints_nothing(atrous: Terminal, recipe: Path, tmp_path: Path) -> None:
    assert atrous("train", recipe, "--output", tmp_path / "run", "--quiet") == (0, "", "")


def test_without_output_the_run_goes_to_runs_under_its_name(
    atrous: Terminal, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert atrous("train", recipe, "training.steps=1").code == 0
    assert (tmp_path / "runs" / "small" / "best.safetensors").exists()


def test_a_training_in_epochs_says_how_many_steps_it_has_and_by_which_score_it_chose(
    atrous: Terminal, recipe: Path, tmp_path: Path
) -> None:
    epochs = ("training.steps=null", "training.epochs=3", "training.stop_after=1", "training.best_by=mean_dice")
    code, out, _ = atrous("train", recipe, *epochs, "--output", tmp_path / "run")
    assert code == 0
    assert "mean Dice" in out
    assert "6/6" in out or "Stopped at step" in out  # four pictures in batches of two


def damage_missing_folder(data: Path) -> list[str]:
    data.rename(data.with_name("elsewhere"))
    return [str(data), "no folder"]


def damage_missing_description(data: Path) -> list[str]:
    (data / "dataset.yaml").unlink()
    for path in (data / "masks").rglob("*.png"):
        Image.new("L", Image.open(path).size, 255).save(path)
    return ["is not certain", "dataset.yaml"]


def damage_missing_mask(data: Path) -> list[str]:
    (data / "masks" / "train" / "p1.png").unlink()
    return ["p1.png has no mask", "masks/train/p1.png was expected"]


def damage_lonely_mask(data: Path) -> list[str]:
    (data / "images" / "val" / "p0.png").unlink()
    return ["masks/val/p0.png has no picture"]


def damage_size(data: Path) -> list[str]:
    Image.new("P", (30, 20)).save(data / "masks" / "train" / "p2.png")
    return ["p2.png is 30x20", "40x32"]


def damage_label(data: Path) -> list[str]:
    mask = np.zeros((32, 40), np.uint8)
    mask[3, :7] = 37
    Image.fromarray(mask).save(data / "masks" / "val" / "p1.png")
    return ["masks/val/p1.png has value 37 on 7 pixels", "0..2"]


def damage_truncated_picture(data: Path) -> list[str]:
    picture = data / "images" / "train" / "p3.png"
    Image.open(picture).convert("RGB").save(picture.with_suffix(".jpg"))
    picture.unlink()
    whole = picture.with_suffix(".jpg").read_bytes()
    picture.with_suffix(".jpg").write_bytes(whole[: len(whole) // 2])
    return ["p3.jpg", "cut off", "whole copy"]


def damage_truncated_mask(data: Path) -> list[str]:
    mask = data / "masks" / "train" / "p3.png"
    mask.write_bytes(mask.read_bytes()[:-60])
    return ["masks/train/p3.png", "whole copy"]


def damage_colour_mask(data: Path) -> list[str]:
    Image.new("RGB", (40, 32)).save(data / "masks" / "train" / "p0.png")
    return ["masks/train/p0.png", "RGB", "save the indices"]


def damage_empty_split(data: Path) -> list[str]:
    for kind in ("images", "masks"):
        for path in (data / kind / "val").iterdir():
            path.unlink()
    return ["split val of boxes is empty"]


def damage_missing_split(data: Path) -> list[str]:
    description = data / "dataset.yaml"
    description.write_text(description.read_text().replace("[train, val]", "[train, vall]"))
    return ["no split `val`", "did you mean `vall`"]


def damage_description(data: Path) -> list[str]:
    description = data / "dataset.yaml"
    description.write_text(description.read_text().replace("splits", "split"))
    return ["dataset.yaml", "did you mean `splits`"]


DAMAGES = [value for name, value in sorted(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.removeprefix("damage_"))
def test_data_that_cannot_be_used_is_one_sentence_and_nothing_is_written(
    damage: Callable[[Path], list[str]], atrous: Terminal, recipe: Path, data: Path, tmp_path: Path
) -> None:
    words = damage(data)
    sentence = atrous.fails("train", recipe, "--output", tmp_path / "run")
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("training.stepps=3", "did you mean `steps`"),
        ("training.steps=0", "training.steps"),
        ("optimizer.learning_rate=fast", "optimizer.learning_rate"),
        ("data.kind=cam-vid", "camvid"),
        ("training.steps", "key=value"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_one_sentence_and_nothing_is_written(
    override: str, word: str, atrous: Terminal, recipe: Path, tmp_path: Path
) -> None:
    assert word in atrous.fails("train", recipe, override, "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_is_not_there_or_is_a_folder_is_named(atrous: Terminal, tmp_path: Path) -> None:
    assert "none.yaml" in atrous.fails("train", tmp_path / "none.yaml")
    assert str(tmp_path) in atrous.fails("train", tmp_path)


def test_a_recipe_for_another_number_of_classes_fits_the_data_by_itself(atrous: Terminal, recipe: Path) -> None:
    other = write_data(recipe.parent / "other")
    description = other / "dataset.yaml"
    description.write_text(description.read_text().replace("splits", "  - name: more\nsplits"))
    assert atrous("train", recipe, f"data.root={other}", "--output", recipe.parent / "run", "--quiet").code == 0


def test_a_second_run_in_the_same_folder_is_refused_unless_asked_for(
    atrous: Terminal, recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train = ("train", recipe, "--output", run, "--quiet")
    assert atrous(*train).code == 0
    before = files_below(run)
    sentence = atrous.fails(*train)
    assert all(word in sentence for word in (str(run), "--resume", "--overwrite", "--output"))
    assert "did you mean `seed`" in atrous.fails(*train, "training.seeed=1", "--overwrite")
    assert "training.seed was 0 and is 1" in atrous.fails(*train, "training.seed=1", "--resume")
    assert files_below(run) == before
    assert atrous(*train, "--resume").code == 0
    assert atrous(*train, "--overwrite").code == 0


def test_resume_and_overwrite_together_are_a_usage_error(atrous: Terminal, recipe: Path) -> None:
    code, out, err = atrous("train", recipe, "--resume", "--overwrite")
    assert (code, out) == (2, "")
    assert "not both" in err


def test_a_learning_rate_far_too_high_is_one_sentence(atrous: Terminal, recipe: Path, tmp_path: Path) -> None:
    sentence = atrous.fails(
        "train", recipe, "training.steps=8", "optimizer.learning_rate=1e30", "--output", tmp_path / "run"
    )
    assert "loss" in sentence
    assert "optimizer.learning_rate" in sentence
