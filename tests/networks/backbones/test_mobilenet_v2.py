from collections.abc import Callable

import pytest
import torch
from torch import nn

from atrous.networks.backbones.mobilenet_v2 import MobileNetV2, MobileNetV2Config, scaled_channels
from atrous.networks.layers import BatchNormConfig, apply_batch_norm
from tests.networks.backbones.oracle import answers_of, weights_of
from tests.networks.backbones.test_resnet import assert_levels_agree, random_image
from tests.networks.randomness import randomize

BLOCKS_PER_LEVEL = (3, 3, 7, 4)
BLOCKS_PER_STAGE = (1, 2, 3, 4, 3, 3, 1)
LAYERS = ("expand", "depthwise", "project")


def block_number(level: str, block: str) -> int:
    return sum(BLOCKS_PER_LEVEL[: int(level)]) + int(block)


def torchvision_name(name: str) -> str:
    part, *rest = name.split(".")
    if part == "stem":
        layer, tensor = rest
        return f"features.0.{['convolution', 'norm'].index(layer)}.{tensor}"
    level, block, _, where, layer, tensor = rest
    number = block_number(level, block)
    index = LAYERS.index(where) - (number == 0)  # the first block does not expand
    is_norm = layer == "norm"
    place = f"{index + is_norm}" if where == "project" else f"{index}.{int(is_norm)}"
    return f"features.{number + 1}.conv.{place}.{tensor}"


def timm_name(name: str) -> str:
    part, *rest = name.split(".")
    if part == "stem":
        layer, tensor = rest
        return f"{ {'convolution': 'conv_stem', 'norm': 'bn1'}[layer] }.{tensor}"
    level, block, _, where, layer, tensor = rest
    stage, index = 0, block_number(level, block)
    while index >= BLOCKS_PER_STAGE[stage]:
        index -= BLOCKS_PER_STAGE[stage]
        stage += 1
    convolutions = ("conv_pw", "conv_dw", "conv_pwl") if stage else ("", "conv_dw", "conv_pw")
    number = LAYERS.index(where)
    place = f"bn{number + bool(stage)}" if layer == "norm" else convolutions[number]
    return f"blocks.{stage}.{index}.{place}.{tensor}"


def copy_of(theirs: nn.Module, renamed: Callable[[str], str], width: float, output_stride: int) -> MobileNetV2:
    randomize(theirs)
    ours = MobileNetV2(MobileNetV2Config(width=width), output_stride).eval()
    ours.load_state_dict({name: theirs.state_dict()[renamed(name)] for name in ours.state_dict()})
    return ours


@torch.no_grad()
@pytest.mark.parametrize(("width", "size"), [(1.0, (67, 45)), (1.0, (64, 64)), (0.35, (67, 45)), (1.4, (33, 40))])
def test_features_agree_with_torchvision(width: float, size: tuple[int, int]) -> None:
    models = pytest.importorskip("torchvision.models")
    theirs = models.mobilenet_v2(width_mult=width).eval()
    ours = copy_of(theirs, torchvision_name, width, 32)
    image = random_image(size)
    x, expected = image, []
    for number, layer in enumerate(theirs.features):
        x = layer(x)
        if number in (3, 6, 13, 17):  # the last of each level
            expected.append(x)
    assert_levels_agree(ours(image), expected)


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_atrous_features_agree_with_timm(output_stride: int) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(
        "mobilenetv2_100", features_only=True, output_stride=output_stride, out_indices=(1, 2, 3, 4)
    ).eval()
    ours = copy_of(theirs, timm_name, 1.0, output_stride)
    assert (ours.channels, ours.strides) == (
        tuple(theirs.feature_info.channels()),
        tuple(theirs.feature_info.reduction()),
    )
    image = random_image((67, 45))
    assert_levels_agree(ours(image), theirs(image))


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_atrous_features_agree_with_transformers(output_stride: int) -> None:
    transformers = pytest.importorskip("transformers")
    # With TensorFlow's padding, even sizes would be padded at the right and below only.
    config = transformers.MobileNetV2Config(output_stride=output_stride, tf_padding=False)
    theirs = transformers.MobileNetV2Model(config, add_pooling_layer=False)
    ours = MobileNetV2(MobileNetV2Config(), output_stride)
    apply_batch_norm(ours, BatchNormConfig(epsilon=config.layer_norm_eps))
    # Theirs count the stem's three convolutions as one layer and end with the 1280 channels of the classifier.
    source = list(weights_of(theirs).values())
    ours.load_state_dict(dict(zip(ours.state_dict(), source, strict=False)))
    image = random_image((67, 45))
    expected = answers_of([theirs.layer[number] for number in (1, 4, 11, 15)], lambda: theirs(image))
    assert_levels_agree(ours.eval()(image), expected)


def test_it_has_the_parameters_of_torchvision_but_for_its_classification_layers() -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = models.mobilenet_v2().features[:-1].state_dict()
        ours = MobileNetV2(MobileNetV2Config(), 16).state_dict()
    expected = {f"features.{name}": tensor.shape for name, tensor in theirs.items()}
    assert {torchvision_name(name): tensor.shape for name, tensor in ours.items()} == expected


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(32, 1.0, 32), (16, 0.5, 8), (24, 0.35, 8), (24, 0.75, 24), (96, 1.4, 136), (16, 0.1, 8), (320, 0.35, 112)],
)
def test_channels_are_rounded_to_eights_and_never_far_down(channels: int, width: float, expected: int) -> None:
    assert scaled_channels(channels, width) == expected
