"""The loop: a network draws, people correct, and what comes back trains."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.training.runs import CLASSES, small_recipe, write_data


@pytest.mark.slow
def test_what_was_predicted_for_cvat_trains_with_one_command(atrous: Terminal, tmp_path: Path) -> None:
    pictures = write_data(tmp_path / "data") / "images" / "train"
    torch.manual_seed(0)
    model, export = tmp_path / "drew.safetensors", tmp_path / "export"
    info = CheckpointInfo(name="drew", network=SMALL_NETWORKS[0], labels=LabelSpace.from_names(CLASSES))
    save_checkpoint(model, build_network(SMALL_NETWORKS[0], 3), info)
    assert atrous("predict", model, pictures, "--save", "cvat", "-o", tmp_path / "review").code == 0
    shutil.copytree(pictures, export / "images")
    shutil.copy(tmp_path / "review" / "annotations.xml", export)
    recipe = small_recipe(
        {"kind": "cvat", "root": str(export), "background": None},
        training={"steps": 1, "train_on": "all", "validate_on": "all", "start_from": str(model)},
    )
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert atrous("train", tmp_path / "recipe.yaml", "-o", tmp_path / "run").code == 0
    assert (tmp_path / "run" / "best.safetensors").exists()
