from pathlib import Path

import numpy as np
import pytest

import atrous
from atrous.data import open_split, parse_dataset
from atrous.evaluation.evaluate import evaluate
from atrous.images import read_mask, write_image
from atrous.weights.bundled import bundled_names, card_of
from atrous.weights.checkpoint import read_info
from atrous.weights.finding import find_model
from tests.cli.conftest import atrous as atrous_command
from tests.cli.terminal import Terminal
from tests.real import REAL, real

terminal = atrous_command  # the fixture, under a name that does not hide the package
CAMVID = "camvid-v3plus-mobilenet-v2"


def test_each_bundled_model_is_small_and_says_what_it_is() -> None:
    assert CAMVID in bundled_names()
    for name in bundled_names():
        info, card = read_info(find_model(name)), card_of(name)
        assert find_model(name).stat().st_size <= 10_000_000
        assert info.name == name
        assert f"mIoU {100 * info.scores['mean_iou']:.2f}" in card
        assert f"{info.scores['protocol']['pictures']} pictures" in card
        assert all(word in card for word in ("Terms", "Trained", "val"))
        assert not Path(info.recipe["data"]["root"]).is_absolute()


def test_a_bundled_model_predicts_by_its_name_without_a_network(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", None)  # whoever calls it fails
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "street.png", np.random.default_rng(0).integers(0, 256, (90, 121, 3), np.uint8))
    assert terminal("predict", CAMVID, "street.png", "--output", "masks").code == 0
    assert read_mask(tmp_path / "masks" / "street.png").shape == (90, 121)


@real
@pytest.mark.slow
def test_a_bundled_model_has_the_score_that_it_states() -> None:
    val = open_split(parse_dataset(f"camvid:{REAL / 'camvid'}"), "val")
    found = evaluate(atrous.load(CAMVID), val)
    stated = read_info(find_model(CAMVID)).scores
    assert found.protocol.model_dump(mode="json") == stated["protocol"]
    assert found.scores.mean_iou == pytest.approx(stated["mean_iou"], abs=2e-4)
    assert found.scores.pixel_accuracy == pytest.approx(stated["pixel_accuracy"], abs=2e-4)
