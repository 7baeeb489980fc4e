import pytest
import torch

from atrous.networks import BackboneConfig, MobileNetV2Config, ResNetConfig
from atrous.networks.backbones import build_backbone
from atrous.networks.backbones.atrous import Step, StridesIntoRates
from atrous.networks.backbones.resnet import ResNet
from tests.networks.randomness import randomize

BACKBONES: dict[str, BackboneConfig] = {
    "resnet18": ResNetConfig(depth=18),
    "resnet50": ResNetConfig(depth=50),
    "mobilenet_v2": MobileNetV2Config(width=0.5),
    # Here 32 and 64 channels both become 8, so that a layer which lost its stride looks like a residual one.
    "narrowest mobilenet_v2": MobileNetV2Config(width=0.1),
}
every_backbone = pytest.mark.parametrize("config", BACKBONES.values(), ids=BACKBONES.keys())


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


@every_backbone
@torch.no_grad()
def test_levels_have_the_channels_and_strides_they_state(config: BackboneConfig) -> None:
    for output_stride in (8, 16, 32):
        backbone = build_backbone(config, output_stride).eval()
        levels = backbone(torch.rand(1, 3, 50, 33))
        assert backbone.strides == (4, 8, min(16, output_stride), output_stride)
        for level, channels, stride in zip(levels, backbone.channels, backbone.strides, strict=True):
            assert level.shape == (1, channels, -(-50 // stride), -(-33 // stride))


@every_backbone
@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (61, 38)])
def test_a_finer_network_computes_all_features_of_a_coarser_one(config: BackboneConfig, size: tuple[int, int]) -> None:
    at_8, at_16, at_32 = (build_backbone(config, output_stride).double().eval() for output_stride in (8, 16, 32))
    randomize(at_8)
    at_16.load_state_dict(at_8.state_dict())
    at_32.load_state_dict(at_8.state_dict())
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    finest, fine, coarse = at_8(image)[-1], at_16(image)[-1], at_32(image)[-1]
    torch.testing.assert_close(finest[..., ::2, ::2], fine, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(fine[..., ::2, ::2], coarse, rtol=1e-10, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize(("output_stride", "rates"), [(32, (1, 1, 1)), (16, (1, 2, 2)), (8, (2, 4, 4))])
def test_the_response_to_an_impulse_shows_the_rates_of_a_stage(output_stride: int, rates: tuple[int, ...]) -> None:
    last_stage = ResNet(50, output_stride).stages[-1].eval()
    assert isinstance(last_stage, torch.nn.Sequential)
    for block, rate in zip(last_stage, rates, strict=True):
        x = torch.zeros(1, block.get_parameter("layers.0.convolution.weight").shape[1], 17, 17)
        x[..., 8, 8] = 1
        answer = block.get_submodule("layers")(x).abs().sum(dim=(0, 1))
        stride = 17 // answer.shape[0] + 1 if answer.shape[0] < 17 else 1
        reached = sorted({int(place) * stride - 8 for place in answer.nonzero()[:, 0]})
        assert reached == ([0] if stride == 2 else [-rate, 0, rate])
