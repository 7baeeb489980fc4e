from pathlib import Path

import pytest
import torch

from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS


@pytest.fixture
def atrous(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    labels = LabelSpace.from_names(["ground", "box", "stripe"])
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    info = CheckpointInfo(name="small", network=SMALL_NETWORKS[0], labels=labels)
    save_checkpoint(path, build_network(SMALL_NETWORKS[0], 3), info)
    return path
