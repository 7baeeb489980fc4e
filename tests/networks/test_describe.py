from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from atrous.networks import (
    AuxiliaryHeadConfig,
    CellBranch,
    DeepLabV1Config,
    DeepLabV2Config,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
    TimmConfig,
    XceptionConfig,
    build_network,
    deviations,
)
from atrous.networks.backbones import BackboneConfig
from atrous.networks.backbones.resnet import ResNet
from atrous.networks.describe import NetworkDescription, Stage, describe_network
from tests.small import SMALL_BACKBONES, SMALL_NETWORKS


def stages(description: NetworkDescription) -> dict[str, Stage]:
    return {stage.name: stage for stage in description.stages}


@pytest.mark.parametrize("config", SMALL_NETWORKS, ids=lambda config: f"{config.kind}-{config.backbone.kind}")
def test_parameters_and_multiply_adds_are_those_that_torch_counts(config: NetworkConfig) -> None:
    description = describe_network(config, 5, (65, 97))
    with torch.device("meta"):
        network = build_network(config, 5).eval()
        image = torch.zeros(1, 3, 65, 97)
    with FlopCounterMode(display=False) as counter:
        network.low_resolution_logits(image)
    assert description.multiply_adds == counter.get_total_flops() / 2
    assert description.multiply_adds == sum(s.multiply_adds for s in description.stages if not s.training_only)
    total = sum(parameter.numel() for parameter in network.parameters())
    assert description.parameters + description.training_parameters == total
    assert sum(stage.parameters for stage in description.stages) == total


@pytest.mark.parametrize("backbone", SMALL_BACKBONES, ids=lambda backbone: backbone.kind)
def test_the_last_stage_of_every_backbone_has_its_channels_and_its_stride(backbone: BackboneConfig) -> None:
    config = DeepLabV3Config(backbone=backbone, output_stride=8, rates=())
    description = describe_network(config, 5, (65, 97))
    with torch.device("meta"):
        built = build_network(config, 5).backbone
    last = [stage for stage in description.stages if stage.name.startswith("backbone")][-1]
    assert (last.channels, last.output_stride) == (built.channels[-1], 8)


@pytest.mark.parametrize(
    ("backbone", "hidden", "billions"),
    [
        (ResNetConfig(depth=50), None, 4.09),  # torchvision's table of weights
        (ResNetConfig(depth=101), None, 7.80),
        (ResNetConfig(depth=18), None, 1.81),
        (MobileNetV2Config(), 1280, 0.30),  # Sandler et al. 2018, table 4
        (MobileNetV1Config(), None, 0.569),  # Howard et al. 2017, table 4
        (MobileNetV1Config(width=0.25), None, 0.041),
    ],
)
def test_classifiers_have_the_published_multiply_adds(
    backbone: BackboneConfig, hidden: int | None, billions: float
) -> None:
    description = describe_network(ImageClassifierConfig(backbone=backbone, hidden_channels=hidden), 1000, (224, 224))
    assert description.multiply_adds / 1e9 == pytest.approx(billions, abs=0.006)


def test_the_published_receptive_fields_of_resnet_50() -> None:
    """Araujo et al. 2019 (distill.pub/2019/computing-receptive-fields) give 483 for TensorFlow's layout."""
    for stride_unit, field in (("last", 483), ("first", 427)):
        config = ImageClassifierConfig(backbone=ResNetConfig.model_validate({"depth": 50, "stride_unit": stride_unit}))
        assert stages(describe_network(config, 10))["backbone.stages.3"].reach.field == (field, field)


@pytest.mark.parametrize(
    "config",
    [
        DeepLabV1Config(backbone=MobileNetV2Config(width=0.25), hidden_channels=None, rate=2),
        DeepLabV2Config(backbone=ResNetConfig(depth=18), rates=(2, 3), scales=(1.0,)),
        DeepLabV3PlusConfig(
            backbone=MobileNetV2Config(width=0.25),
            cell=(CellBranch(rate=(1, 6)), CellBranch(rate=(4, 1), input=0)),
            low_level_strides=(),
        ),
    ],
    ids=lambda config: config.kind,
)
def test_the_receptive_field_is_where_a_gradient_arrives(config: NetworkConfig) -> None:
    description = describe_network(config, 2, (65, 65))
    side = max(description.reach.field) + 64
    network = build_network(config, 2).eval().double()
    for module in network.modules():  # all that is computed grows with every pixel seen, and no activation saturates
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.3 / module.weight[0].numel())
    if isinstance(network.backbone, ResNet):  # a gradient goes through one place of a maximum only
        network.backbone.add_module("pool", nn.AvgPool2d(3, stride=2, padding=1))
    image = torch.ones(1, 3, side | 1, side | 1, dtype=torch.float64, requires_grad=True)
    logits = network.low_resolution_logits(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    seen = image.grad[0].abs().sum(0) > 0
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    extent = (int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1))
    assert extent == description.reach.field


def test_rates_are_those_of_the_convolutions() -> None:
    named = stages(describe_network(DeepLabV3Config(output_stride=8), 21))
    assert named["backbone.stages.2"].rates == ((1, 1), (2, 2))
    assert [named[f"context.pyramid.{index}"].rates for index in range(3)] == [((12, 12),), ((24, 24),), ((36, 36),)]


def test_image_pooling_sees_the_whole_image() -> None:
    named = stages(describe_network(DeepLabV3Config(), 21))
    assert named["context.image_pooling"].reach.whole_image
    assert named["classifier"].reach.whole_image
    assert not named["context.pyramid.2"].reach.whole_image


def test_what_only_training_uses_stands_apart() -> None:
    plain, auxiliary = (describe_network(DeepLabV3Config(auxiliary=head), 21) for head in (None, AuxiliaryHeadConfig()))
    assert auxiliary.parameters == plain.parameters
    assert auxiliary.training_parameters == 2_365_205
    assert auxiliary.multiply_adds == plain.multiply_adds
    assert stages(auxiliary)["auxiliary"].training_only


def test_every_scale_counts() -> None:
    one, three = (
        describe_network(DeepLabV2Config(scales=scales), 21).multiply_adds for scales in ((1.0,), (1.0, 0.75, 0.5))
    )
    assert three / one == pytest.approx(1 + 0.75**2 + 0.5**2, rel=0.03)


def test_equal_neighbours_are_one_line() -> None:
    named = stages(describe_network(DeepLabV3PlusConfig(backbone=XceptionConfig()), 21))
    assert named["backbone.blocks.3-18"].parameters == 16 * 1_618_344


def test_it_says_how_the_network_differs_from_its_paper() -> None:
    config = DeepLabV3PlusConfig(rates=(12, 24, 36))
    assert describe_network(config, 21).deviations == tuple(deviations(config)) != ()


def test_backbones_of_timm_are_described_too() -> None:
    pytest.importorskip("timm")
    description = describe_network(DeepLabV3Config(backbone=TimmConfig(name="resnet18")), 5, (64, 64))
    ours = describe_network(DeepLabV3Config(backbone=ResNetConfig(depth=18)), 5, (64, 64))
    assert (description.parameters, description.multiply_adds) == (ours.parameters, ours.multiply_adds)


def table_rows() -> list[tuple[str, ...]]:
    text = (Path(__file__).parents[2] / "docs/models.md").read_text()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines()]
    return [row for row in rows if len(row) > 4 and row[1].startswith("`")]


@pytest.mark.parametrize("row", table_rows(), ids=lambda row: row[0])
def test_the_table_of_the_models_page_is_true(row: tuple[str, ...]) -> None:
    from atrous.config import override, parse

    choices, parameters, multiply_adds, size = row[1].strip("`").split(), row[2], row[3], row[4]
    kind, *changes = choices
    config = parse(NetworkConfig, override({"kind": kind}, changes), row[1])
    height, width = (int(side) for side in size.split("x"))
    classes = 1000 if kind == "image_classifier" else 21
    description = describe_network(config, classes, (height, width))
    total = description.parameters + description.training_parameters
    assert f"{total:,}" == parameters.split(" / ")[0]
    assert f"{description.multiply_adds / 1e9:.2f} G" == multiply_adds.split(" / ")[0]
