import pytest
import torch
from torch import nn

from atrous.networks.backbones.mobilenet_v3 import MobileNetV3, MobileNetV3Config, Size
from tests.networks.backbones.oracle import copy_in_order, random_image, relative_difference

LAST_BLOCKS: dict[Size, tuple[int, ...]] = {"large": (3, 6, 12, 16), "small": (1, 3, 8, 12)}
FIRST_BLOCKS: dict[Size, tuple[int, ...]] = {"large": (2, 4, 7, 16), "small": (1, 2, 4, 12)}


def theirs_of(config: MobileNetV3Config, *, dilated: bool = False) -> nn.Sequential:
    models = pytest.importorskip("torchvision.models.mobilenetv3")
    layers, last = models._mobilenet_v3_conf(
        f"mobilenet_v3_{config.size}", config.width, reduced_tail=config.reduced_tail, dilated=dilated
    )
    features: nn.Sequential = models.MobileNetV3(layers, last).features
    return features


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (67, 45)])
@pytest.mark.parametrize(
    "config",
    [
        MobileNetV3Config(),
        MobileNetV3Config(size="small"),
        MobileNetV3Config(width=0.75, reduced_tail=True, level_block="first"),
        MobileNetV3Config(size="small", width=1.25, reduced_tail=True),
    ],
    ids=lambda config: f"{config.size}-{config.width}",
)
def test_features_agree_with_torchvision(config: MobileNetV3Config, size: tuple[int, int]) -> None:
    theirs = theirs_of(config)
    ours = MobileNetV3(config, 32)
    copy_in_order(theirs, ours)
    image = random_image(*size)
    ends = (FIRST_BLOCKS if config.level_block == "first" else LAST_BLOCKS)[config.size]
    for level, end in zip(ours(image), ends, strict=True):
        assert relative_difference(level, theirs[: end + 1](image)) < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("size", ["large", "small"])
def test_the_network_of_torchvisions_segmentation_doubles_one_rate_too_early(size: Size) -> None:
    config = MobileNetV3Config(size=size, lost_stride="doubles_rate", level_block="first")
    theirs = theirs_of(config, dilated=True)
    image = random_image(67, 45)
    ours = MobileNetV3(config, 16)
    copy_in_order(theirs, ours)
    for level, end in zip(ours(image), FIRST_BLOCKS[size], strict=True):
        assert relative_difference(level, theirs[: end + 1](image)) < 1e-4
    exact = MobileNetV3(config.model_copy(update={"lost_stride": "keeps_rate"}), 16).eval()
    exact.load_state_dict(ours.state_dict())
    assert relative_difference(exact(image)[-1], theirs(image)) > 1e-2


@pytest.mark.parametrize(("size", "channels"), [("large", (24, 40, 80, 960)), ("small", (16, 24, 40, 576))])
def test_its_first_blocks_are_those_that_lite_heads_of_torchvision_take(size: Size, channels: tuple[int, ...]) -> None:
    with torch.device("meta"):
        assert MobileNetV3(MobileNetV3Config(size=size, level_block="first"), 16).channels == channels


@pytest.mark.parametrize(
    ("size", "classifier", "parameters"), [("large", 2_511_080, 5_483_032), ("small", 1_615_848, 2_542_856)]
)
def test_it_has_the_published_parameters_with_torchvisions_classifier(
    size: Size, classifier: int, parameters: int
) -> None:
    with torch.device("meta"):
        ours = MobileNetV3(MobileNetV3Config(size=size), 16)
    assert sum(parameter.numel() for parameter in ours.parameters()) + classifier == parameters


def test_normalization_is_that_of_the_released_weights() -> None:
    with torch.device("meta"):
        norms = [m for m in MobileNetV3(MobileNetV3Config(), 16).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
