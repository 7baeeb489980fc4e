import math

import pytest
import torch
import torch.nn.functional as F

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks import MobileNetV2Config, NetworkConfig, build_network
from atrous.networks.backbones import build_backbone
from atrous.networks.padding import Conv2d, MaxPool2d, apply_padding, pad_same


def tensorflow_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The formula of TensorFlow's documentation, for padding SAME."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (7, 2), (5, 2), (3, 3)])
def test_it_pads_as_tensorflow_says(size: int, kernel: int, stride: int) -> None:
    x = torch.ones(1, 1, size, 4)
    padded = pad_same(x, (kernel, 3), (stride, 1))
    before, after = tensorflow_padding(size, kernel, stride)
    assert padded[0, 0, :, 2].tolist() == [0] * before + [1] * size + [0] * after
    assert padded.shape[-1] == 6


def test_at_odd_sizes_a_3x3_is_padded_alike_on_both_sides() -> None:
    x = torch.randn(1, 3, 33, 17, generator=torch.Generator().manual_seed(0))
    convolution, pool = Conv2d(3, 4, 3, stride=2, padding=1), MaxPool2d(3, stride=2, padding=1)
    expected = convolution(x), pool(x)
    for layer, y in zip((convolution, pool), expected, strict=True):
        apply_padding(torch.nn.Sequential(layer), "same")
        torch.testing.assert_close(layer(x), y)


def test_at_even_sizes_it_begins_one_pixel_later() -> None:
    x = torch.randn(1, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    convolution, pool = Conv2d(3, 4, 3, stride=2, padding=1), MaxPool2d(3, stride=2, padding=1)
    apply_padding(torch.nn.Sequential(convolution, pool), "same")
    shifted = F.conv2d(F.pad(x, (0, 1, 0, 1)), convolution.weight, convolution.bias, stride=2)
    torch.testing.assert_close(convolution(x), shifted)
    torch.testing.assert_close(pool(x), F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=-100.0), 3, 2))


def test_padding_behind_does_not_ask_for_the_size() -> None:
    x = torch.randn(1, 4, 33, 16, generator=torch.Generator().manual_seed(0))
    stem, convolution = Conv2d(3, 4, 3, stride=2, padding=1), Conv2d(4, 4, 3, stride=2, padding=1)
    apply_padding(torch.nn.Sequential(stem, convolution), "same_stem_then_behind")
    assert stem.rule == "same"
    expected = F.conv2d(F.pad(x, (0, 1, 0, 1)), convolution.weight, convolution.bias, stride=2)
    torch.testing.assert_close(convolution(x), expected)


def test_padding_of_the_stem_leaves_all_else_alone() -> None:
    first, second = Conv2d(3, 4, 3, stride=2, padding=1), Conv2d(4, 4, 3, stride=2, padding=1)
    apply_padding(torch.nn.Sequential(first, second), "same_stem")
    assert (first.rule, second.rule) == ("same", "symmetric")
    assert second.padding == (1, 1)


@pytest.mark.parametrize("size", [(64, 96), (33, 49), (64, 33)])
def test_every_level_of_a_backbone_has_the_size_that_its_stride_says(size: tuple[int, int]) -> None:
    backbone = build_backbone(MobileNetV2Config(width=0.25), 16).eval()
    apply_padding(backbone, "same")
    for level, stride in zip(backbone(torch.rand(1, 3, *size)), backbone.strides, strict=True):
        assert level.shape[-2:] == tuple(math.ceil(side / stride) for side in size)


@pytest.mark.parametrize("kind", ["vgg16", "timm"])
def test_a_backbone_that_pads_by_itself_is_refused(kind: str) -> None:
    backbone = {"kind": kind, **({"name": "resnet18"} if kind == "timm" else {})}
    if kind == "timm":
        pytest.importorskip("timm")
    with pytest.raises(ConfigError, match="padding"):
        parse(NetworkConfig, {"kind": "deeplab_v3", "backbone": backbone, "padding": "same"}, "here")


def test_the_parameters_are_those_of_the_symmetric_network() -> None:
    choices = {"kind": "deeplab_v3", "backbone": {"kind": "resnet", "depth": 18}}
    with torch.device("meta"):
        same, symmetric = (
            build_network(parse(NetworkConfig, {**choices, "padding": padding}, "here"), 3)
            for padding in ("same", "symmetric")
        )
    assert same.state_dict().keys() == symmetric.state_dict().keys()
