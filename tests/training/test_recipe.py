from pathlib import Path

import pytest
import yaml

from atrous.errors import ConfigError
from atrous.training.recipe import Recipe, read_recipe, recipe_text
from tests.training.runs import small_recipe


def write_small(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(recipe_text(small_recipe()))
    return path


def test_a_recipe_as_text_is_the_same_recipe(tmp_path: Path) -> None:
    recipe = small_recipe(optimizer={"kind": "adamw", "learning_rate": 1e-5, "betas": [0.9, 0.99]})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(recipe))
    assert read_recipe(path) == recipe


def test_a_recipe_as_text_has_every_default_written_out() -> None:
    content = yaml.safe_load(recipe_text(small_recipe()))
    assert content["schedule"] == {"kind": "poly", "power": 0.9, "warmup_steps": 0, "every": 1}
    assert content["training"].keys() == Recipe.model_fields["training"].annotation.model_fields.keys()  # type: ignore[union-attr]


def test_overrides_change_what_they_name_and_nothing_else(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    changed = read_recipe(path, ["training.steps=100", "optimizer.learning_rate=0.5", "network.dropout=0"])
    expected = read_recipe(path).model_dump()
    expected["training"]["steps"] = 100
    expected["optimizer"]["learning_rate"] = 0.5
    expected["network"]["dropout"] = 0.0
    assert changed.model_dump() == expected


def test_the_weights_of_classes_need_no_kind_of_loss(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    content = yaml.safe_load(path.read_text())
    del content["loss"]
    path.write_text(yaml.safe_dump(content))
    named = read_recipe(path, ["loss.kind=cross_entropy", "loss.class_weights=balanced"])
    assert read_recipe(path, ["loss.class_weights=balanced"]) == named


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.step=3", ["`training.step`", "did you mean `steps`?"]),
        ("trainig.steps=3", ["did you mean `training`?"]),
        ("network.backbone.widht=1", ["did you mean `width`?"]),
        ("augmentation.blur_sigm=[1, 2]", ["did you mean `blur_sigma`?"]),
        ("network.backbone.kind=mobilenet_v4", ["mobilenet_v"]),
        ("network.kind=deeplab_v3pluss", ["deeplab_v3plus"]),
        ("optimizer.kind=adamv", ["adamw"]),
        ("loss.kind=focall", ["focal"]),
        ("schedule.kind=cosin", ["cosine"]),
        ("data.kind=cam_vid", ["camvid"]),
    ],
)
def test_an_unknown_key_or_kind_is_answered_with_the_nearest_one(
    override: str, words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_recipe(write_small(tmp_path), [override])
    sentence = str(caught.value)
    assert "small.yaml" in sentence
    assert all(word.strip("`").rpartition(".")[2] in sentence for word in words[:1])
    assert all(word in sentence for word in words[1:])


@pytest.mark.parametrize(
    "override",
    [
        "training.steps=0",
        "training.steps=ten",
        "training.steps=1.5",
        "training.steps=true",
        "training.steps=",
        "training.batch_size=-1",
        "training.accumulation=0",
        "training.precision=float8",
        "training.workers=-1",
        "training.seed=-1",
        "optimizer.learning_rate=0",
        "optimizer.learning_rate=.nan",
        "optimizer.learning_rate=.inf",
        "optimizer.momentum=1",
        "optimizer.weight_decay=-0.1",
        "augmentation.crop=[0, 32]",
        "augmentation.crop=32",
        "augmentation.scale=[2, 0.5]",
        "schedule.power=0",
        "network.output_stride=7",
        "network.dropout=1",
        "name=../elsewhere",
        "name=",
    ],
)
def test_an_impossible_value_is_refused_with_its_key(override: str, tmp_path: Path) -> None:
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        read_recipe(write_small(tmp_path), [override])


@pytest.mark.parametrize(
    "content", [b"", b"- a\n- list\n", b"name: x\n", b"\x89PNG\r\n\x1a\n\x00\xff", b"a: [1,", b"7"]
)
def test_a_file_that_is_no_recipe_is_refused_in_one_sentence_that_names_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"odd\.yaml") as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override", ["training.steps", "=3", "training..steps=3", "name.first=x", "training.steps=[1,"]
)
def test_an_override_that_is_none_is_refused(override: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_recipe(write_small(tmp_path), [override])
    assert override in str(caught.value)
