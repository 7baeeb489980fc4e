import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from atrous.data import open_split, parse_dataset
from atrous.images import read_mask, write_mask
from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.training.cross_fitting import cross_fit
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.training.runs import CLASSES, files_below, small_recipe, write_data


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network that sees the ground everywhere, and is rather sure."""
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], 3)
    assert isinstance(network.classifier, torch.nn.Conv2d)
    assert network.classifier.bias is not None
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([4.0, 0.0, 0.0]))
    info = CheckpointInfo(name="grounded", network=SMALL_NETWORKS[0], labels=LabelSpace.from_names(CLASSES))
    save_checkpoint(tmp_path / "grounded.safetensors", network, info)
    return tmp_path / "grounded.safetensors"


def test_a_list_a_page_and_what_is_to_be_corrected_are_written(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    code, shown, _ = atrous("data", "suspects", model, data, "--split", "train", "--export", "labelme", "-o", out)
    assert code == 0
    rows = list(csv.DictReader((out / "suspects.csv").read_text().splitlines()))
    assert {(row["given"], row["predicted"]) for row in rows} == {("box", "ground"), ("stripe", "ground")}
    assert "box" in shown
    assert f"{len(rows)} suspicious areas in 4 pictures" in shown
    assert {"suspects.csv", "suspects.json", "report.html", "labelme/labels.txt"} <= set(files_below(out))
    sentence = atrous.fails("data", "suspects", model, data, "--export", "labelme", "-o", out)
    assert "is there already" in sentence


def test_agreement_is_said(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for path in (data / "masks" / "val").iterdir():
        write_mask(path, np.zeros_like(read_mask(path)), LabelSpace.from_names(CLASSES))
    code, shown, _ = atrous("data", "suspects", model, data, "-o", tmp_path / "out")
    assert code == 0
    assert "No area contradicts its label." in shown
    assert "No area contradicts its label." in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("first", "more", "words"),
    [
        ("recipe.yaml", (), "say with --folds"),
        ("grounded.safetensors", ("--folds", "3"), "is no recipe"),
        ("grounded.safetensors", ("--export", "cvta"), "--export"),
        ("grounded.safetensors", ("--split", "vall"), "vall"),
    ],
)
def test_a_mistake_is_one_sentence(
    first: str, more: tuple[str, ...], words: str, atrous: Terminal, model: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data")
    assert words in atrous.fails("data", "suspects", model.parent / first, data, *more, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_with_folds_every_picture_is_judged_by_a_network_that_never_saw_it(atrous: Terminal, tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data", train=5), tmp_path / "out"
    recipe = small_recipe(data, training={"steps": 1, "validate_every": 1})
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    arguments = ("data", "suspects", tmp_path / "recipe.yaml", data, "--folds", "2", "-o", out)
    assert atrous(*arguments).code == 0
    judged = []
    for fold in (1, 2):
        files = files_below(out / "folds" / f"fold_{fold}" / "data" / "images")
        assert len(files) == 5
        judged += [name for name in files if name.startswith("val/")]
    assert sorted(judged) == [f"val/p{number}.png" for number in range(5)]
    before = (out / "suspects.csv").read_bytes()
    assert atrous(*arguments).code == 0  # finished trainings are not made again
    assert (out / "suspects.csv").read_bytes() == before
    judges = cross_fit(recipe, open_split(parse_dataset(str(data)), "train"), 2, out / "folds")
    assert sorted(index for judge in judges for index in judge.indices) == list(range(5))
