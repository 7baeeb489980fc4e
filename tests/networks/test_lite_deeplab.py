from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks import LiteDeepLabConfig, MobileNetV2Config, MobileNetV3Config, build_network, deviations
from tests.networks.oracles import (
    backbone_in_order,
    built_like,
    number_of_parameters,
    random_image,
    relative_difference,
)
from tests.networks.randomness import randomize


@torch.no_grad()
def test_its_classifier_is_the_sum_of_one_for_the_context_and_one_for_the_low_level() -> None:
    network = build_network(LiteDeepLabConfig(backbone=MobileNetV2Config(width=0.25)), 5).eval()
    randomize(network)
    levels = network.backbone(network.pixels(random_image(33, 49)))
    context = network.context(levels[-1])
    assert isinstance(network.classifier, nn.Conv2d)
    high, low = network.classifier.weight[:, :128], network.classifier.weight[:, 128:]
    enlarged = F.interpolate(context, size=(5, 7), mode="bilinear", align_corners=False)
    expected = F.conv2d(enlarged, high, network.classifier.bias) + F.conv2d(levels[1], low)
    torch.testing.assert_close(network.low_resolution_logits(random_image(33, 49)), expected, rtol=1e-4, atol=1e-4)


TORCHVISION = LiteDeepLabConfig(backbone=MobileNetV3Config(level_block="first", lost_stride="doubles_rate"))
"""Its low level is the first block of stride 8, and the convolution that lost its stride runs at the doubled rate."""


def their_classifiers(tensors: Mapping[str, Tensor]) -> Tensor:
    high, low = (tensors[f"classifier.{level}_classifier.weight"] for level in ("high", "low"))
    return torch.cat([high, low], dim=1)


def their_biases(tensors: Mapping[str, Tensor]) -> Tensor:
    return tensors["classifier.high_classifier.bias"] + tensors["classifier.low_classifier.bias"]


def torchvision_name(name: str) -> str:
    _, part, layer, tensor = name.split(".")
    return f"classifier.scale.1.{tensor}" if part == "gate" else f"classifier.cbr.{int(layer == 'norm')}.{tensor}"


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 32), (45, 67)])
def test_logits_agree_with_torchvision(size: tuple[int, int]) -> None:
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    theirs = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)
    in_order = backbone_in_order(TORCHVISION, theirs)
    ours = built_like(
        theirs,
        TORCHVISION,
        lambda name: in_order.get(name) or torchvision_name(name),
        changed={"classifier.weight": their_classifiers, "classifier.bias": their_biases},
    )
    image = random_image(*size)
    assert relative_difference(ours(image), theirs(ours.pixels(image))["out"]) < 1e-4


def test_it_has_the_parameters_that_torchvision_publishes_with_one_bias_instead_of_two() -> None:
    with torch.device("meta"):
        network = build_network(LiteDeepLabConfig(), 21)
    assert number_of_parameters(network) == 3_221_538 - 21


def test_its_gate_deviates_from_the_paper_and_says_so() -> None:
    (sentence,) = deviations(LiteDeepLabConfig())
    assert "mean of the whole image" in sentence
