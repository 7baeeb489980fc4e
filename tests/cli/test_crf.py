from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.config import parse, read_yaml
from atrous.crf import DenseCRFConfig
from atrous.data.folder import write_folder
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, InMemory, painted, random_mask


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    info = CheckpointInfo(name="small", network=SMALL_NETWORKS[0], labels=LABELS)
    save_checkpoint(path, build_network(SMALL_NETWORKS[0], 3), info)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    samples = [painted(random_mask((12, 14), seed), f"{seed}") for seed in range(2)]
    write_folder(tmp_path / "data", [InMemory(samples, split="val")])
    return tmp_path / "data"


def test_a_tuned_crf_is_a_file_that_predict_takes(atrous: Terminal, model: Path, data: Path, tmp_path: Path) -> None:
    start = tmp_path / "start.yaml"
    start.write_text("{iterations: 1, position_std_appearance: 8, compatibility: [[0, 1, 1], [1, 0, 2], [1, 2, 0]]}")
    written = tmp_path / "crf.yaml"
    code, out, err = atrous("crf", "tune", model, data, "-o", written, "--crf-config", start)
    assert (code, err) == (0, "")
    assert "without a CRF" in out
    config = parse(DenseCRFConfig, read_yaml(written), "crf.yaml")
    assert config.iterations == 1
    assert config.compatibility == ((0, 1, 1), (1, 0, 2), (1, 2, 0))
    picture = next((data / "images" / "val").iterdir())
    assert atrous("predict", model, picture, "-o", tmp_path / "out", "--crf-config", written).code == 0


def test_quiet_says_nothing(atrous: Terminal, model: Path, data: Path, tmp_path: Path) -> None:
    written = tmp_path / "crf.yaml"
    assert atrous("crf", "tune", model, data, "-o", written, "--pictures", "1", "--quiet") == (0, "", "")
    assert np.isfinite(parse(DenseCRFConfig, read_yaml(written), "crf.yaml").weight_smooth)
