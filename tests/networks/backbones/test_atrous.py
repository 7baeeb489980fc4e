import pytest
import torch
from torch import Tensor, nn

from atrous.networks.backbones import (
    BackboneConfig,
    DRNConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    MobileNetV3Config,
    ResNetConfig,
    VGG16Config,
    XceptionConfig,
)
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.mobilenet_v3 import SqueezeExcitation
from tests.networks.backbones.built import built, label
from tests.small import SMALL_BACKBONES

# At width 0.1, 32 and 64 channels both become 8, so that a layer which lost its stride looks like a residual one.
EXACT = (*(config for config in SMALL_BACKBONES if config != VGG16Config()), MobileNetV2Config(width=0.1))


def test_strides_beyond_the_output_stride_become_rates_of_all_that_follows() -> None:
    at_8 = StridesIntoRates(output_stride=8, stride=4)
    assert [at_8.step(stride) for stride in (1, 2, 1, 2, 1, 2, 1)] == [
        Step(stride=1, rate=1, next_rate=1),
        Step(stride=2, rate=1, next_rate=1),
        Step(stride=1, rate=1, next_rate=1),
        Step(stride=1, rate=1, next_rate=2),
        Step(stride=1, rate=2, next_rate=2),
        Step(stride=1, rate=2, next_rate=4),
        Step(stride=1, rate=4, next_rate=4),
    ]
    assert at_8.stride == 8


def features(config: BackboneConfig, output_stride: int, size: tuple[int, int] = (45, 22)) -> list[Tensor]:
    backbone = built(config, output_stride).double()
    for module in backbone.modules():
        if isinstance(module, SqueezeExcitation):  # it weighs by the mean over all places, and there are more now
            module.excite.weight.data.zero_()
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels: list[Tensor] = backbone(image)
    return levels


def assert_samples_of(coarse: Tensor, fine: Tensor, step: int) -> None:
    torch.testing.assert_close(fine[..., ::step, ::step], coarse, rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("config", EXACT, ids=label)
def test_a_finer_network_computes_all_features_of_a_coarser_one(config: BackboneConfig) -> None:
    coarser = (8,) if config.kind == "drn" else (8, 16, 32)
    fine = features(config, 4)
    for output_stride in coarser:
        coarse = features(config, output_stride)
        deepest_but_one = 8 if config.kind == "drn" else 16
        for level, other, stride in zip(fine, coarse, (4, 8, deepest_but_one, 32), strict=True):
            assert_samples_of(other, level, min(stride, output_stride) // 4)


@torch.no_grad()
def test_pools_as_caffe_has_them_are_exact_up_to_the_first_that_should_be_atrous() -> None:
    fine, coarse = features(VGG16Config(), 8, (33, 65)), features(VGG16Config(), 16, (33, 65))
    for level, other, step in zip(fine[:-1], coarse[:-1], (1, 1, 2), strict=True):
        assert_samples_of(other, level, step)
    assert not torch.allclose(fine[-1][..., ::2, ::2], coarse[-1])


@torch.no_grad()
def test_a_lost_stride_that_doubles_its_own_rate_computes_other_features() -> None:
    config = MobileNetV3Config(size="small", width=0.5, lost_stride="doubles_rate")
    fine, coarse = features(config, 16)[-1], features(config, 32)[-1]
    assert not torch.allclose(fine[..., ::2, ::2], coarse)


def reach(convolution: nn.Conv2d) -> int:
    """Pixels from an impulse to the farthest answer, per tap of the kernel."""
    x = torch.zeros(1, convolution.in_channels, 65, 1)
    x[:, :, 32] = 1
    convolution.weight.data[0] = 1
    answer = convolution(x)[0, 0, :, 0] - (0 if convolution.bias is None else convolution.bias[0])
    stride, taps = convolution.stride[0], convolution.kernel_size[0] // 2
    return max(abs(int(place) * stride - 32) for place in answer.abs().gt(1e-3).nonzero()) // taps


@torch.no_grad()
@pytest.mark.parametrize(
    ("config", "output_stride", "rates"),
    [
        (VGG16Config(), 8, "1 1 2 2 2"),
        (ResNetConfig(depth=50), 16, "1 2 2"),
        (ResNetConfig(depth=50), 8, "1 2 2 2 2 2 2 4 4"),
        (ResNetConfig(depth=50), 4, "1 2 2 2 2 4 4 4 4 4 4 8 8"),
        (ResNetConfig(depth=18), 8, "1 2 2 2 2 4 4 4"),
        (ResNetConfig(depth=50, stride_in="1x1"), 8, "2 2 2 2 2 2 4 4 4"),
        # The paper's 2 * (1, 2, 4); with the stride in the 3x3, its first unit keeps half, as it lost its own stride.
        (ResNetConfig(depth=50, stride_in="1x1", multi_grid=(1, 2, 4)), 16, "2 4 8"),
        (ResNetConfig(depth=50, stride_in="1x1", multi_grid=(1, 2, 4)), 8, "4 8 16"),
        (ResNetConfig(depth=50, multi_grid=(1, 2, 4)), 16, "1 4 8"),
        (ResNetConfig(depth=18, multi_grid=(1, 2)), 16, "1 2 4 4"),
        (XceptionConfig(depth=41), 16, "1 1 1 2 2 2"),
        (XceptionConfig(depth=41, multi_grid=(1, 2, 4)), 8, "1 1 1" + 27 * " 2" + " 4 8 16"),
        (DRNConfig(variant="D-22"), 8, "1 2 2 2 2 4 4 4 4 2 1"),
        (DRNConfig(variant="C-26"), 4, "1 2 2 2 4 4 4 4 8 8 8 8 4 4 2 2"),
        (MobileNetV1Config(), 8, "1 2 2 2 2 2 2 4"),
        (MobileNetV2Config(), 8, "1 2 2 2 2 2 2 2 4 4 4"),
        (MobileNetV3Config(), 16, "1 2 2"),
        (MobileNetV3Config(lost_stride="doubles_rate"), 16, "2 2 2"),
        (MobileNetV3Config(size="small"), 8, "1 2 2 2 2 2 4 4"),
    ],
    ids=lambda value: label(value) if not isinstance(value, int | str) else str(value)[:20],
)
def test_impulses_show_the_rates_of_the_last_convolutions(
    config: BackboneConfig, output_stride: int, rates: str
) -> None:
    expected = [int(rate) for rate in rates.split()]
    backbone = built(config, output_stride)
    spatial = [
        module for module in backbone.modules() if isinstance(module, nn.Conv2d) and module.kernel_size[0] in (3, 5)
    ]
    assert [reach(convolution) for convolution in spatial[-len(expected) :]] == expected
