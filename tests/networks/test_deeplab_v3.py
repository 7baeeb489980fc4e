from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atrous.networks import (
    AuxiliaryHeadConfig,
    DeepLabV3Config,
    MobileNetV2Config,
    MobileNetV3Config,
    ResNetConfig,
    build_network,
    deviations,
)
from atrous.networks.backbones.resnet import Depth
from tests.networks.backbones.test_mobilenet_v2 import LAYERS, block_number
from tests.networks.backbones.test_resnet import renamed as resnet_name
from tests.networks.context.test_aspp import renamed as aspp_name
from tests.networks.oracles import (
    CONVOLUTION,
    backbone_in_order,
    built_like,
    number_of_parameters,
    random_image,
    relative_difference,
)


def torchvision_name(name: str) -> str:
    """The name that torchvision gives to a tensor of a DeepLabv3 on a ResNet with an auxiliary head."""
    part, _, rest = name.partition(".")
    match part:
        case "backbone":
            return f"backbone.{resnet_name(rest)}"
        case "context" if rest.startswith("head."):
            _, layer, tensor = rest.split(".")
            return f"classifier.{CONVOLUTION[layer] + 1}.{tensor}"
        case "context":
            return f"classifier.0.{aspp_name(rest)}"
        case "classifier":
            return f"classifier.4.{rest}"
        case _:
            return f"aux_classifier.{auxiliary_name(rest)}"


def auxiliary_name(name: str) -> str:
    part, *_, tensor = name.split(".")
    if part == "classifier":
        return f"4.{tensor}"
    return f"{CONVOLUTION[name.split('.')[1]]}.{tensor}"


def torchvision_layout(depth: Depth) -> DeepLabV3Config:
    """Its rates 12, 24, 36 at output stride 8 are the paper's; the head convolution and the auxiliary loss are not."""
    return DeepLabV3Config(
        backbone=ResNetConfig(depth=depth), output_stride=8, head_convolution=True, auxiliary=AuxiliaryHeadConfig()
    )


@torch.no_grad()
@pytest.mark.parametrize(("depth", "size"), [(50, (33, 47)), (101, (35, 33))])
def test_logits_and_auxiliary_logits_agree_with_torchvision(depth: Depth, size: tuple[int, int]) -> None:
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    build: Any = {50: segmentation.deeplabv3_resnet50, 101: segmentation.deeplabv3_resnet101}[depth]
    theirs: nn.Module = build(weights=None, weights_backbone=None, num_classes=5, aux_loss=True)
    ours = built_like(theirs, torchvision_layout(depth), torchvision_name)
    image = random_image(*size)
    expected = theirs(ours.pixels(image))
    main, auxiliary = ours.training_logits(image)
    assert relative_difference(ours(image), expected["out"]) < 1e-4
    assert relative_difference(main.logits, expected["out"]) < 1e-4
    assert relative_difference(auxiliary.logits, expected["aux"]) < 1e-4
    assert (main.weight, auxiliary.weight) == (1.0, 0.4)


@pytest.mark.parametrize(("depth", "published"), [(50, 42_004_074), (101, 60_996_202)])
def test_it_has_the_published_number_of_parameters(depth: Depth, published: int) -> None:
    with torch.device("meta"):
        network = build_network(torchvision_layout(depth), 21)
    assert number_of_parameters(network) == published


def test_deviations_of_the_layout_of_torchvision_are_named() -> None:
    sentences = "; ".join(deviations(torchvision_layout(101)))
    assert "3x3 convolution behind the ASPP" in sentences
    assert "auxiliary loss" in sentences
    assert "multi-grid [1, 1, 1]" in sentences
    assert "rates" not in sentences
    assert deviations(DeepLabV3Config(backbone=ResNetConfig(depth=101, stride_in="1x1", multi_grid=(1, 2, 4)))) == []


def test_the_first_unit_of_the_last_stage_has_half_the_papers_rate_where_the_3x3_strides() -> None:
    (sentence,) = deviations(DeepLabV3Config())
    assert "begins at half the rate" in sentence
    assert deviations(DeepLabV3Config(output_stride=32)) == []
    doubled = ResNetConfig(depth=101, lost_stride="doubles_rate", multi_grid=(1, 2, 4))
    assert deviations(DeepLabV3Config(backbone=doubled)) == []


MOBILENET_V3 = DeepLabV3Config(
    backbone=MobileNetV3Config(level_block="first", lost_stride="doubles_rate"),
    rates=(12, 24, 36),
    head_convolution=True,
    auxiliary=AuxiliaryHeadConfig(levels_before_deepest=2),
)
"""As torchvision has it: rates of output stride 8 at 16, and the convolution that lost its stride at the doubled rate
already; neither is the paper's."""


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 32), (45, 67)])
def test_logits_on_mobilenet_v3_agree_with_torchvision(size: tuple[int, int]) -> None:
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    theirs = segmentation.deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=5, aux_loss=True
    )
    in_order = backbone_in_order(MOBILENET_V3, theirs)

    def renamed(name: str) -> str:
        return in_order.get(name) or torchvision_name(name)

    ours = built_like(theirs, MOBILENET_V3, renamed)
    image = random_image(*size)
    expected = theirs(ours.pixels(image))
    main, auxiliary = ours.training_logits(image)
    assert relative_difference(main.logits, expected["out"]) < 1e-4
    assert relative_difference(auxiliary.logits, expected["aux"]) < 1e-4


def test_on_mobilenet_v3_it_has_the_parameters_that_torchvision_publishes() -> None:
    with torch.device("meta"):
        network = build_network(MOBILENET_V3, 21)
    assert number_of_parameters(network) == 11_029_328


def smp_name(name: str) -> str:
    part, _, rest = name.partition(".")
    match part:
        case "backbone":
            return f"encoder.{resnet_name(rest)}"
        case "context" if rest.startswith("head."):
            _, layer, tensor = rest.split(".")
            return f"decoder.{ {'convolution': 'conv', 'norm': 'bn'}[layer] }.{tensor}"
        case "context":
            return f"decoder.aspp.{aspp_name(rest)}"
        case _:
            return f"segmentation_head.0.{rest}"


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16])
def test_logits_agree_with_smp(output_stride: Any) -> None:
    """SMP takes only sizes that the stride divides.

    Its rates 12, 24, 36 are the paper's at output stride 8, where ours are stated as 6, 12, 18 for 16; at 16 SMP keeps
    them, and deviates from the paper.
    """
    smp = pytest.importorskip("segmentation_models_pytorch")
    theirs = smp.DeepLabV3("resnet18", encoder_weights=None, encoder_output_stride=output_stride, classes=5)
    rates = (6, 12, 18) if output_stride == 8 else (12, 24, 36)
    config = DeepLabV3Config(
        backbone=ResNetConfig(depth=18, lost_stride="doubles_rate"),
        output_stride=output_stride,
        rates=rates,
        head_convolution=True,
        resize="align_corners",
    )
    ours = built_like(theirs, config, smp_name)
    image = random_image(64, 32)
    assert relative_difference(ours(image), theirs(ours.pixels(image))) < 1e-4
    assert any("rates" in deviation for deviation in deviations(config)) == (output_stride == 16)


LAYER_NAMES = dict(zip(LAYERS, ("expand_1x1", "conv_3x3", "reduce_1x1"), strict=True))


def transformers_name(name: str) -> str:
    """The name that transformers gives to a tensor of MobileNetV2 with its DeepLab head."""
    part, *rest = name.split(".")
    tensor = rest[-1]
    norm = {"convolution": "convolution", "norm": "normalization"}
    if part == "classifier":
        return f"segmentation_head.classifier.convolution.{tensor}"
    if part == "context":
        layer = {"pointwise": "aspp", "image_pooling": "pool", "projection": "projection"}[rest[0]]
        return f"segmentation_head.conv_{layer}.{norm[rest[1]]}.{tensor}"
    if rest[0] == "stem":
        return f"mobilenet_v2.conv_stem.first_conv.{norm[rest[1]]}.{tensor}"
    _, level, block, _, where, layer, tensor = rest
    number = block_number(level, block)
    place = f"layer.{number - 1}" if number else "conv_stem"
    return f"mobilenet_v2.{place}.{LAYER_NAMES[where]}.{norm[layer]}.{tensor}"


def image_first(tensors: Any) -> Tensor:
    """Their projection takes the pooled image before the features; ours behind them."""
    weight = tensors["segmentation_head.conv_projection.convolution.weight"]
    return torch.cat([weight[:, 256:], weight[:, :256]], dim=1)


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("size", [(64, 32), (45, 67)])
def test_logits_on_mobilenet_v2_agree_with_transformers(output_stride: Any, size: tuple[int, int]) -> None:
    """Its head is an ASPP without any rate, as the authors' code has it on MobileNetV2; it never resizes its logits."""
    transformers = pytest.importorskip("transformers")
    choices = transformers.MobileNetV2Config(
        output_stride=output_stride, tf_padding=False, num_labels=5, layer_norm_eps=1e-5
    )
    theirs = transformers.MobileNetV2ForSemanticSegmentation(choices)
    config = DeepLabV3Config(backbone=MobileNetV2Config(), output_stride=output_stride, rates=())
    ours = built_like(theirs, config, transformers_name, changed={"context.projection.convolution.weight": image_first})
    image = random_image(*size)
    assert relative_difference(ours.low_resolution_logits(image), theirs(ours.pixels(image)).logits) < 1e-4


def test_an_auxiliary_head_listens_in_training_alone() -> None:
    network = build_network(
        DeepLabV3Config(backbone=ResNetConfig(depth=18), context_channels=8, auxiliary=AuxiliaryHeadConfig(weight=0.2)),
        num_classes=5,
    )
    image = random_image(33, 33)
    main, auxiliary = network.training_logits(image)
    assert (main.weight, auxiliary.weight) == (1.0, 0.2)
    assert main.logits.shape == auxiliary.logits.shape == (2, 5, 33, 33)
    before = network.eval()(image)
    assert network.auxiliary is not None
    network.auxiliary.classifier.weight.data.zero_()
    torch.testing.assert_close(network(image), before)
