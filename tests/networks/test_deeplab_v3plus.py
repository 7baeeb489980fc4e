from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks import DeepLabV3PlusConfig, MobileNetV2Config, ResNetConfig, build_network, deviations
from atrous.networks.decoders import CoarseToFineDecoder, KeepContext
from tests.networks.backbones.test_resnet import renamed as resnet_name
from tests.networks.context.test_aspp import renamed as aspp_name
from tests.networks.oracles import (
    CONVOLUTION,
    built_like,
    random_image,
    relative_difference,
)
from tests.networks.randomness import randomize


def separable_name(name: str) -> str:
    """The name that SMP gives to a tensor of one separable convolution, which a normalization follows."""
    step, layer, tensor = name.split(".")
    if layer == "norm":
        return f"1.{tensor}"
    return f"0.{['depthwise', 'pointwise'].index(step)}.{tensor}"


def smp_name(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "backbone":
        return f"encoder.{resnet_name(rest)}"
    if part == "classifier":
        return f"segmentation_head.0.{rest}"
    if rest.startswith("low_level."):
        _, layer, tensor = rest.split(".")
        return f"decoder.block1.{CONVOLUTION[layer]}.{tensor}"
    if rest.startswith("refine.0."):
        return f"decoder.block2.{separable_name(rest.removeprefix('refine.0.'))}"
    if rest.startswith("head."):
        index, _, place = separable_name(rest.removeprefix("head.")).partition(".")
        return f"decoder.aspp.{int(index) + 1}.{place}"
    if rest.startswith("pyramid."):
        _, number, place = rest.split(".", 2)
        return f"decoder.aspp.0.convs.{int(number) + 1}.{separable_name(place)}"
    return f"decoder.aspp.0.{aspp_name(rest)}"


def smp_layout(output_stride: Any) -> DeepLabV3PlusConfig:
    """How SMP deviates from the paper.

    Nothing stands between the steps of its separable convolutions; one more of them follows the ASPP; in the decoder
    there is one, not two; the decoder aligns corners; and at output stride 16 it has the paper's rates of 8.
    """
    return DeepLabV3PlusConfig(
        backbone=ResNetConfig(depth=18, lost_stride="doubles_rate"),
        output_stride=output_stride,
        rates=(6, 12, 18) if output_stride == 8 else (12, 24, 36),
        separable_norm=False,
        head_convolution=True,
        decoder_convolutions=1,
        resize="align_corners",
    )


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16])
def test_logits_agree_with_smp(output_stride: Any) -> None:
    """SMP takes only sizes that the stride divides."""
    smp = pytest.importorskip("segmentation_models_pytorch")
    theirs = smp.DeepLabV3Plus("resnet18", encoder_weights=None, encoder_output_stride=output_stride, classes=5)
    ours = built_like(theirs, smp_layout(output_stride), smp_name)
    image = random_image(64, 96)
    assert relative_difference(ours(image), theirs(ours.pixels(image))) < 1e-4


def test_deviations_of_the_layout_of_smp_are_named() -> None:
    sentences = "; ".join(deviations(smp_layout(16)))
    assert "rates [12, 24, 36] at output stride 16" in sentences
    assert "without normalization and activation between" in sentences
    assert "a 3x3 convolution behind the ASPP" in sentences
    assert "1 3x3 convolutions of 256" in sentences


def test_without_low_levels_the_context_is_only_enlarged() -> None:
    config = DeepLabV3PlusConfig(backbone=MobileNetV2Config(), low_level_strides=(), rates=())
    network = build_network(config, 5).eval()
    assert isinstance(network.decoder, KeepContext)
    assert network.low_resolution_logits(random_image(33, 49)).shape == (2, 5, 3, 4)
    assert not any("decoder" in sentence for sentence in deviations(config))


@torch.no_grad()
def test_several_low_levels_are_fused_from_coarse_to_fine() -> None:
    network = build_network(
        DeepLabV3PlusConfig(
            backbone=ResNetConfig(depth=18),
            context_channels=8,
            low_level_strides=(8, 4),
            low_level_channels=(6, 3),
            decoder_channels=10,
        ),
        num_classes=5,
    ).eval()
    randomize(network)
    assert isinstance(network.decoder, CoarseToFineDecoder)
    levels = network.backbone(network.pixels(random_image(33, 49)))
    coarse, fine = network.decoder.stages
    shapes = [tuple(stage.get_parameter("low_level.convolution.weight").shape) for stage in (coarse, fine)]
    assert shapes == [(6, 128, 1, 1), (3, 64, 1, 1)]
    context = network.context(levels[-1])
    fused = fine(coarse(context, levels), levels)
    assert fused.shape == (2, 10, 9, 13)
    torch.testing.assert_close(network.decoder(context, levels), fused)


@torch.no_grad()
def test_boundary_refinement_adds_to_the_logits() -> None:
    plain, refined = (
        build_network(
            DeepLabV3PlusConfig(backbone=ResNetConfig(depth=18), context_channels=8, boundary_refinement=refinement), 5
        ).eval()
        for refinement in (False, True)
    )
    missing, unexpected = refined.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert {name.split(".")[0] for name in missing} == {"refinement"}
    image = random_image(33, 33)
    logits = plain.low_resolution_logits(image)

    def residual(x: Tensor) -> Tensor:
        first, _, second = refined.refinement.get_submodule("layers").children()
        assert isinstance(first, nn.Conv2d)
        assert isinstance(second, nn.Conv2d)
        x = F.conv2d(x, first.weight, first.bias, padding=1).clamp(min=0)
        return F.conv2d(x, second.weight, second.bias, padding=1)

    torch.testing.assert_close(refined.low_resolution_logits(image), logits + residual(logits))


def test_a_checkpoint_of_before_the_family_still_fits() -> None:
    """The fields and the first and last tensors that DeepLabv3+ had when it was the only member."""
    data = {
        "kind": "deeplab_v3plus",
        "backbone": {"kind": "mobilenet_v2", "width": 0.25},
        "output_stride": 16,
        "rates": [6, 12, 18],
        "context_channels": 16,
        "low_level_channels": 8,
        "decoder_channels": 16,
        "separable": True,
        "dropout": 0.1,
        "pixels": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "rgb"},
    }
    names = list(build_network(DeepLabV3PlusConfig.model_validate(data), 5).state_dict())
    assert {name.split(".")[0] for name in names} == {"pixels", "backbone", "context", "decoder", "classifier"}
    for name in (
        "pixels.mean",
        "context.pointwise.convolution.weight",
        "context.pyramid.2.depthwise.norm.running_var",
        "context.pyramid.2.pointwise.convolution.weight",
        "context.image_pooling.norm.weight",
        "context.projection.norm.num_batches_tracked",
        "decoder.low_level.convolution.weight",
        "decoder.refine.1.depthwise.convolution.weight",
        "decoder.refine.1.pointwise.norm.bias",
        "classifier.bias",
    ):
        assert name in names
