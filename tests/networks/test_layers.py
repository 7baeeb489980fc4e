import pytest
import torch
from torch import nn

from atrous.networks.layers import AtrousSeparableConv, BatchNorm, ConvNormActivation, DepthwiseConv, resize_bilinear
from tests.networks.randomness import randomize


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(0))


def norms() -> tuple[BatchNorm, nn.BatchNorm2d]:
    ours, theirs = BatchNorm(4), nn.BatchNorm2d(4)
    randomize(ours)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch_where_there_are_several_values(x: torch.Tensor, training: bool) -> None:
    ours, theirs = norms()
    torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_batch_norm_of_one_value_uses_its_running_statistics_and_keeps_them(x: torch.Tensor) -> None:
    ours, theirs = norms()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    one = x[:1, :, :1, :1].requires_grad_()
    y = ours.train()(one)
    torch.testing.assert_close(y, theirs.eval()(one))
    torch.testing.assert_close(dict(ours.state_dict()), before, rtol=0, atol=0)
    y.square().sum().backward()
    assert one.grad is not None
    assert one.grad.all()
    assert ours.weight.grad is not None


@pytest.mark.parametrize(("stride", "rate"), [(1, 1), (2, 1), (1, 2)])
def test_a_depthwise_convolution_in_mixed_precision_is_that_of_torch(x: torch.Tensor, stride: int, rate: int) -> None:
    ours = DepthwiseConv(4, 4, 3, stride=stride, padding=rate, dilation=rate, groups=4)
    theirs = nn.Conv2d(4, 4, 3, stride=stride, padding=rate, dilation=rate, groups=4)
    theirs.load_state_dict(ours.state_dict())
    x = x.bfloat16().requires_grad_()
    gradients = []
    for layer in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        assert y.dtype == torch.bfloat16
        gradients.append(torch.autograd.grad(y.float().square().sum(), [x, *layer.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("rate", [1, 2, 6])
def test_stride_one_keeps_the_size_at_every_rate(x: torch.Tensor, rate: int) -> None:
    assert ConvNormActivation(4, 6, 3, rate=rate)(x).shape == (2, 6, 5, 7)
    assert AtrousSeparableConv(4, 6, rate=rate)(x).shape == (2, 6, 5, 7)


def test_a_separable_convolution_rectifies_both_of_its_steps(x: torch.Tensor) -> None:
    layer = AtrousSeparableConv(4, 6, rate=2).eval()
    randomize(layer)
    depthwise, pointwise = layer.get_submodule("depthwise"), layer.get_submodule("pointwise")
    weights = (depthwise.get_parameter("convolution.weight"), pointwise.get_parameter("convolution.weight"))
    y = nn.functional.conv2d(x, weights[0], padding=2, dilation=2, groups=4)
    y = depthwise.get_submodule("norm")(y).clamp(min=0)
    y = pointwise.get_submodule("norm")(nn.functional.conv2d(y, weights[1])).clamp(min=0)
    torch.testing.assert_close(layer(x), y)


def test_resizing_to_the_same_size_returns_the_very_tensor(x: torch.Tensor) -> None:
    assert resize_bilinear(x, x.shape[-2:]) is x


def test_resizing_takes_pixels_as_areas() -> None:
    row = torch.tensor([0.0, 4.0]).reshape(1, 1, 1, 2)
    assert resize_bilinear(row, (1, 4)).flatten().tolist() == [0, 1, 3, 4]
