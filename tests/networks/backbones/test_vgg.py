import pytest
import torch
from torch import nn

from atrous.networks.backbones.vgg import VGG16
from tests.networks.backbones.oracle import copy_in_order, random_image, relative_difference


def theirs_at(output_stride: int) -> nn.Sequential:
    """torchvision's network; at output stride 8 with the strides and rates that the paper of DeepLab v1 states."""
    vgg = pytest.importorskip("torchvision.models.vgg")
    features: nn.Sequential = vgg.make_layers(vgg.cfgs["D"])
    for layer in features:
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = True  # ours keep the last row of odd sizes, theirs drop it
    if output_stride == 8:
        for number in (24, 26, 28):
            convolution = features[number]
            assert isinstance(convolution, nn.Conv2d)
            convolution.dilation = convolution.padding = (2, 2)
    return features


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 32), (51, 35)])
def test_features_agree_with_torchvision(size: tuple[int, int]) -> None:
    theirs = theirs_at(32)
    ours = VGG16(32, pools="torchvision")
    copy_in_order(theirs, ours)
    image = random_image(*size)
    levels = ours(image)
    expected, end = image, 0
    for level, next_end in zip(levels, (16, 23, 30, 31), strict=True):
        expected, end = theirs[end:next_end](expected), next_end
        assert relative_difference(level, expected) < 1e-5


@torch.no_grad()
def test_large_field_of_view_has_its_last_two_pools_at_stride_1_and_conv5_at_rate_2() -> None:
    theirs = theirs_at(8)
    for number, stride in ((4, 2), (9, 2), (16, 2), (23, 1), (30, 1)):
        theirs[number] = nn.MaxPool2d(3, stride, padding=1, ceil_mode=True)
    ours = VGG16(8, pools="caffe")
    copy_in_order(theirs, ours)
    image = random_image(33, 65)
    levels = ours(image)
    assert levels[-1].shape == (1, 512, 5, 9)
    expected, end = image, 0
    for level, next_end in zip(levels, (16, 23, 30, 31), strict=True):
        expected, end = theirs[end:next_end](expected), next_end
        assert relative_difference(level, expected) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(("size", "expected"), [(321, 41), (320, 41), (33, 5), (32, 5)])
def test_pools_of_caffe_round_sizes_up(size: int, expected: int) -> None:
    with torch.device("meta"):
        assert VGG16(8, pools="caffe")(torch.empty(1, 3, size, 9))[-1].shape[2] == expected


def test_it_has_the_parameters_of_the_thirteen_convolutions() -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in VGG16(8).parameters()) == 14_714_688
