"""Steps of a training in bfloat16 on a CPU, compared with the same in float64."""

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks import layers, processor_gradients
from atrous.networks.layers import BatchNorm, ConvNormActivation, DepthwiseConv
from atrous.networks.processor_gradients import depthwise, gains, moments, normalize

BFLOAT16 = 2.0**-8
"""Half of the distance of two neighbouring numbers, relative to them."""


@pytest.fixture(autouse=True)
def _small_pictures_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_gradients, "WORTH_IT", 1)


def picture(*shape: int, seed: int = 0, mean: float = 0.5, std: float = 2.0) -> Tensor:
    """bfloat16, channels last; every channel has a mean and a spread of its own."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator) * std * torch.rand(1, shape[1], 1, 1, generator=generator).add(0.5)
    x += mean * torch.randn(1, shape[1], 1, 1, generator=generator)
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def close(ours: Tensor, exact: Tensor, tolerance: float = BFLOAT16) -> bool:
    """Equal to rounding, relative to the largest value."""
    return bool((ours.double() - exact.double()).abs().max() <= tolerance * exact.abs().max() + 1e-12)


SHAPES = [(2, 5, 7, 9), (3, 16, 5, 4), (1, 37, 9, 1), (2, 64, 1, 3)]
BOUNDS = [(-math.inf, math.inf), (0.0, math.inf), (0.0, 6.0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mean", [0.5, 200.0])
def test_moments_are_those_of_the_numbers(shape: tuple[int, ...], mean: float) -> None:
    x = picture(*shape, mean=mean)
    found = moments(x)
    values = x.double()
    assert close(torch.from_numpy(found.mean), values.mean((0, 2, 3)), 1e-6)
    assert close(torch.from_numpy(found.variance), values.var((0, 2, 3), correction=0), 1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_a_norm_and_its_activation_are_those_of_float64(shape: tuple[int, ...], low: float, high: float) -> None:
    x, slope = picture(*shape), picture(*shape, seed=1)
    weight, bias = torch.rand(shape[1]) + 0.5, torch.randn(shape[1])
    ours = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    exact = [tensor.double().requires_grad_() for tensor in (x, weight, bias)]
    y = normalize(ours[0], moments(x), ours[1], ours[2], 1e-5, low, high)
    normal = F.batch_norm(exact[0], None, None, exact[1], exact[2], training=True)
    y.backward(slope)  # type: ignore[no-untyped-call]
    normal.clamp(low, high).backward(slope.double())  # type: ignore[no-untyped-call]
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert close(y, normal.clamp(low, high))
    for mine, theirs in zip(ours, exact, strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert mine.grad.dtype == mine.dtype
        assert close(mine.grad, theirs.grad, BFLOAT16 if mine is ours[0] else 1e-4)


@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (3, 16, 6, 4), (1, 33, 1, 12)])
@pytest.mark.parametrize(
    ("kernel", "stride", "rate", "padding"),
    [
        ((3, 3), (1, 1), (1, 1), (1, 1)),
        ((3, 3), (2, 2), (1, 1), (1, 1)),
        ((3, 3), (1, 1), (6, 6), (6, 6)),
        ((3, 3), (2, 2), (2, 2), (2, 2)),
        ((3, 3), (1, 1), (2, 3), (2, 3)),
        ((5, 5), (2, 2), (1, 1), (2, 2)),
    ],
)
def test_a_convolution_within_channels_is_that_of_float64(
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    rate: tuple[int, int],
    padding: tuple[int, int],
) -> None:
    x = picture(*shape)
    weight = torch.randn(shape[1], 1, *kernel)
    ours = [tensor.clone().requires_grad_() for tensor in (x, weight)]
    exact = [tensor.double().requires_grad_() for tensor in (x, weight)]
    y = depthwise(ours[0], ours[1], stride, rate, padding)
    theirs = F.conv2d(exact[0], exact[1], stride=stride, dilation=rate, padding=padding, groups=shape[1])
    slope = picture(*y.shape, seed=1)
    y.backward(slope)  # type: ignore[no-untyped-call]
    theirs.backward(slope.double())  # type: ignore[no-untyped-call]
    assert y.dtype == torch.bfloat16
    assert close(y, theirs, 2 * BFLOAT16)
    for mine, other in zip(ours, exact, strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        assert mine.grad.dtype == mine.dtype
        assert close(mine.grad, other.grad, BFLOAT16 if mine is ours[0] else 1e-4)


def test_a_norm_remembers_what_torchs_remembers() -> None:
    x = picture(2, 6, 5, 7)
    ours, theirs = BatchNorm(6), nn.BatchNorm2d(6)
    for _ in range(3):
        ours(x)
        theirs(x.float())
    for name, buffer in theirs.named_buffers():
        assert torch.allclose(dict(ours.named_buffers())[name].double(), buffer.double(), rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Identity, nn.Hardswish])
@pytest.mark.parametrize(("groups", "stride", "rate"), [(1, 1, 1), (8, 2, 1), (8, 1, 3)])
def test_layers_answer_and_learn_as_they_do_in_float32(
    activation: layers.Activation, groups: int, stride: int, rate: int
) -> None:
    torch.manual_seed(0)
    block = ConvNormActivation(8, 8, 3, groups=groups, stride=stride, rate=rate, activation=activation)
    block.to(memory_format=torch.channels_last)
    x = picture(4, 8, 12, 10)
    slope = picture(*block.eval()(x.float()).shape, seed=1)
    gradients = {}
    for enabled in (False, True):
        block.train().zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            block(x if enabled else x.float()).backward(slope if enabled else slope.float())
        gradients[enabled] = [parameter.grad for parameter in block.parameters()]
    for mine, theirs in zip(gradients[True], gradients[False], strict=True):
        assert mine is not None
        assert theirs is not None
        assert close(mine, theirs, 0.05)


def test_two_runs_have_the_same_bits_on_any_number_of_threads() -> None:
    x, slope = picture(2, 24, 20, 30), picture(2, 24, 20, 30, seed=1)
    weight = torch.randn(24, 1, 3, 3)
    found = []
    threads = torch.get_num_threads()
    for count in (1, 2, 1):
        torch.set_num_threads(count)
        parts = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
        y = depthwise(parts[0], parts[1], (1, 1), (2, 2), (2, 2))
        normalize(y, moments(y), torch.ones(24), torch.zeros(24), 1e-5, 0.0, 6.0).backward(slope)  # type: ignore[no-untyped-call]
        found.append([part.grad for part in parts])
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))  # type: ignore[arg-type]


def test_only_training_in_bfloat16_with_channels_last_takes_them() -> None:
    x = picture(2, 8, 6, 6)
    assert gains(x)
    assert not gains(x.float())
    assert not gains(x.contiguous())
    with torch.no_grad():
        assert not gains(x)


def test_a_frozen_norm_and_one_that_predicts_stay_with_torch() -> None:
    norm, x = BatchNorm(8), picture(2, 8, 6, 6)
    assert norm.is_fast_with(x)
    norm.frozen = True
    assert not norm.is_fast_with(x)
    norm.frozen = False
    assert not norm.eval().is_fast_with(x)


def test_a_depthwise_convolution_predicts_with_torch() -> None:
    convolution, x = DepthwiseConv(8, 8, 3, groups=8, dilation=2, padding=2, bias=False), picture(1, 8, 6, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(convolution(x), F.conv2d(x, convolution.weight, padding=2, dilation=2, groups=8))


def test_the_compiled_loops_leave_torch_the_threads_that_it_was_given() -> None:
    program = """
import torch
from atrous.networks.processor_gradients import moments

torch.set_num_threads(1)
x = torch.randn(2, 4, 8, 8).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
for _ in range(2):
    moments(x)
    assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
