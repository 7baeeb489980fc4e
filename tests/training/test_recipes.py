"""Every recipe of the repository is complete: it loads, says where it comes from, builds its network, and trains."""

from pathlib import Path

import pytest
import torch

from atrous.networks import build_network
from atrous.progress import Silent
from atrous.training.optimizer import build_optimizer
from atrous.training.recipe import Recipe, read_recipe
from atrous.training.run import begin
from atrous.training.train import train

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
LIGHT = {"camvid_v3plus_mobilenet_v2", "folder_v3plus_mobilenet_v2", "voc_v3plus_mobilenet_v2", "voc_v3_mobilenet_v2"}
SMALL = [
    "data={kind: shapes, height: 32, width: 48, train: 4, val: 1, test: 1}",
    "augmentation.crop=[33, 33]",
    "training.epochs=null",
    "training.steps=2",
    "training.batch_size=1",
    "training.accumulation=1",
    "training.validate_every=2",
    "training.workers=0",
    "training.precision=float32",
    "training.check_first=false",
]
"""What makes any recipe small; its network stays as it is."""

every_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def small(path: Path) -> Recipe:
    return read_recipe(path, SMALL)


def test_there_are_recipes() -> None:
    assert len(RECIPES) > 20


@every_recipe
def test_a_recipe_says_where_it_comes_from_how_it_runs_and_what_it_scored(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    words = " ".join(line.removeprefix("#").strip() for line in header)
    assert f"atrous train recipes/{path.name}" in words
    assert path.stem.startswith("folder") or "Source: " in words
    assert "score" in words.lower()
    assert read_recipe(path).name == path.stem


@every_recipe
def test_the_network_of_a_recipe_builds(path: Path) -> None:
    recipe = read_recipe(path)
    with torch.device("meta"):
        network = build_network(recipe.network, 21)
    assert network.output_stride == recipe.network.output_stride
    assert build_optimizer(recipe.optimizer, network).param_groups


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in LIGHT else pytest.mark.slow) for path in RECIPES],
)
def test_a_recipe_takes_two_steps(path: Path, tmp_path: Path) -> None:
    result = train(small(path), tmp_path / "run")
    assert result.finished
    assert result.state.step == 2
    assert result.folder.best.exists()


def test_the_v2_recipe_learns_at_one_ten_and_twenty_times_its_rate() -> None:
    """The learning rates of the authors' solver; biases do not decay."""
    recipe = read_recipe(next(path for path in RECIPES if path.stem == "voc_v2_resnet101"))
    with torch.device("meta"):
        network = build_network(recipe.network, 21)
    groups = build_optimizer(recipe.optimizer, network).param_groups
    rates = {parameter: (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    for name, parameter in network.named_parameters():
        factor = 1 if name.startswith("backbone.") else 20 if name.endswith(".bias") else 10
        decay = 0.0005 if parameter.ndim > 1 else 0
        assert rates[parameter] == (pytest.approx(factor * 0.00025), decay), name


def test_a_frozen_backbone_stays_as_it_is_to_the_bit(tmp_path: Path) -> None:
    path = next(path for path in RECIPES if path.stem == "folder_v3plus_mobilenet_v2")
    recipe = read_recipe(path, [*SMALL, "training.freeze_backbone=true"])
    run = begin(recipe, tmp_path / "before", resume=False, overwrite=False, progress=Silent())
    before = {name: tensor.clone() for name, tensor in run.learner.network.state_dict().items()}
    train(recipe, tmp_path / "run")
    resumed = begin(recipe, tmp_path / "run", resume=True, overwrite=False, progress=Silent())
    after = resumed.learner.network.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"context", "decoder", "classifier"}
