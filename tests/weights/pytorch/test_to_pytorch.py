from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from atrous.errors import CheckpointError, ConfigError
from atrous.labels import LabelSpace
from atrous.networks import (
    DeepLabV2Config,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
    build_network,
)
from atrous.weights.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from atrous.weights.formats.torch_file import read_torch_file
from atrous.weights.to_pytorch import to_pytorch
from tests.cli.conftest import atrous as atrous
from tests.cli.terminal import Terminal
from tests.networks.oracles import random_image, relative_difference
from tests.networks.randomness import randomize
from tests.weights.pytorch.ports import JFZhang95, Kazuto1011, VainF

TORCHVISION = DeepLabV3Config(backbone=ResNetConfig(depth=50), output_stride=8, head_convolution=True)
JFZHANG95 = DeepLabV3PlusConfig(
    backbone=ResNetConfig(depth=101, lost_stride="doubles_rate", multi_grid=(1, 2, 4)),
    separable=False,
    resize="align_corners",
)
VAINF = DeepLabV3PlusConfig(backbone=ResNetConfig(depth=50), separable=False, decoder_convolutions=1)


def checkpoint(config: NetworkConfig, num_classes: int = 5) -> Checkpoint:
    torch.manual_seed(0)
    network = build_network(config, num_classes).eval()
    randomize(network)
    labels = LabelSpace.from_names([f"class {index}" for index in range(num_classes)])
    return Checkpoint(network, CheckpointInfo(name="a", network=config, labels=labels))


@torch.no_grad()
@pytest.mark.parametrize(
    ("library", "config"), [("jfzhang95", JFZHANG95), ("vainf", VAINF), ("kazuto1011", DeepLabV2Config())]
)
def test_a_port_loads_our_weights_and_answers_as_we_do(library: str, config: NetworkConfig) -> None:
    ours = checkpoint(config)
    theirs: Any = {"jfzhang95": JFZhang95, "vainf": lambda k: VainF(k, plus=True), "kazuto1011": Kazuto1011}[library](5)
    missing, unexpected = theirs.load_state_dict(to_pytorch(ours, library).tensors, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    image = random_image(45, 67)
    answer: Tensor = theirs.eval()(ours.network.pixels(image))
    assert relative_difference(ours.network(image), answer) < 1e-4


@torch.no_grad()
def test_torchvision_loads_our_weights_and_answers_as_we_do() -> None:
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    ours = checkpoint(TORCHVISION)
    theirs = segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=5, aux_loss=False).eval()
    theirs.load_state_dict(to_pytorch(ours, "torchvision").tensors, strict=False)
    image = random_image(45, 67)
    assert relative_difference(ours.network(image), theirs(ours.network.pixels(image))["out"]) < 1e-4


def test_what_the_tensors_do_not_say_is_said() -> None:
    notes = " ".join(to_pytorch(checkpoint(TORCHVISION.model_copy(update={"output_stride": 16})), "torchvision").notes)
    assert "output_stride is 16 here, by default 8 there" in notes


@pytest.mark.parametrize(
    ("library", "config", "words"),
    [
        ("torchvision", DeepLabV3PlusConfig(backbone=ResNetConfig(depth=18)), "torchvision has no deeplab_v3plus"),
        ("jfzhang95", DeepLabV3Config(backbone=ResNetConfig(depth=18)), "jfzhang95 has no deeplab_v3 on"),
        ("vainf", VAINF.model_copy(update={"resize": "align_corners"}), "resize"),
        ("smp", DeepLabV3PlusConfig(backbone=MobileNetV2Config(width=0.25)), "smp has no"),
        ("torchvision", DeepLabV3Config(backbone=ResNetConfig(depth=18)), "head_convolution True only"),
    ],
)
def test_a_network_that_a_library_does_not_have_is_refused(library: str, config: NetworkConfig, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        to_pytorch(checkpoint(config), library)


def test_an_unknown_library_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="torchvision"):
        to_pytorch(checkpoint(ImageClassifierConfig(backbone=ResNetConfig(depth=18))), "torchvison")


def test_the_command_writes_what_others_load(tmp_path: Path, atrous: Terminal) -> None:
    ours = checkpoint(ImageClassifierConfig(backbone=ResNetConfig(depth=18)))
    save_checkpoint(tmp_path / "a.safetensors", ours.network, ours.info)
    for name in ("out.pth", "out.safetensors"):
        done = atrous("models", "convert", tmp_path / "a.safetensors", tmp_path / name, "--to", "torchvision")
        assert done.code == 0
        assert "fc.weight" in read_torch_file(tmp_path / name).tensors
    assert "smp has no" in atrous.fails(
        "models", "convert", tmp_path / "a.safetensors", tmp_path / "b.pth", "--to", "smp"
    )
    assert not (tmp_path / "b.pth").exists()
