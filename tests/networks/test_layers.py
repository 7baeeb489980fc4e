import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks.layers import (
    AtrousSeparableConv,
    BatchNorm,
    BatchNormConfig,
    ConvNormActivation,
    DepthwiseConv,
    apply_batch_norm,
    resize_bilinear,
)
from atrous.networks.synchronized_norms import SyncBatchNorm, to_sync_batch_norm
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


@pytest.mark.parametrize("norm", [BatchNorm(4), nn.BatchNorm2d(4)], ids=["ours", "of another library"])
def test_a_frozen_batch_norm_stays_frozen_through_train(x: torch.Tensor, norm: nn.BatchNorm2d) -> None:
    randomize(norm)
    expected = norm.eval()(x)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    network = nn.Sequential(norm).train()
    apply_batch_norm(network, BatchNormConfig(frozen=True))
    y = network.train()(x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(dict(norm.state_dict()), before, rtol=0, atol=0)
    y.square().sum().backward()
    assert norm.weight.grad is not None  # scale and shift go on learning
    apply_batch_norm(network, BatchNormConfig(frozen=False))
    network.train()(x)
    assert norm.running_mean is not None
    assert not torch.equal(norm.running_mean, before["running_mean"])


def test_batch_norm_is_of_the_ecosystem_that_the_config_names() -> None:
    network = nn.Sequential(ConvNormActivation(3, 4), nn.BatchNorm2d(4))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    apply_batch_norm(network, BatchNormConfig(epsilon=1e-3, momentum=3e-4))
    assert [(norm.eps, norm.momentum) for norm in norms] == 2 * [(1e-3, 3e-4)]
    apply_batch_norm(network, BatchNormConfig())
    assert [(norm.eps, norm.momentum) for norm in norms] == 2 * [(1e-3, 3e-4)]


@pytest.mark.parametrize(
    ("momentum", "sentence"),
    [
        (0.9997, "is TensorFlow's decay, .*: write 1 - decay = 0.0003 instead of 0.9997"),
        (0.9, "write 1 - decay = 0.1 instead of 0.9"),
        (0.5, "write one below 0.5, such as torch's 0.1"),
        (1.0, "write one below 0.5, such as torch's 0.1"),
        (0.0, "`momentum`: input should be greater than 0"),
    ],
)
def test_a_momentum_that_is_tensorflows_decay_is_refused_with_the_right_value(momentum: float, sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe\.yaml: .*{sentence}[^\n]*$"):
        parse(BatchNormConfig, {"momentum": momentum}, "recipe.yaml")


def test_synchronized_batch_norm_alone_is_batch_norm_and_keeps_all_of_it(x: torch.Tensor) -> None:
    ours, theirs = norms()
    ours.frozen = True
    network = to_sync_batch_norm(nn.Sequential(ours))
    assert isinstance(ours, SyncBatchNorm)
    torch.testing.assert_close(network.train()(x), theirs.eval()(x))
    apply_batch_norm(network, BatchNormConfig())
    torch.testing.assert_close(network.train()(x), theirs.train()(x))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def _one_of_two_processes(rank: int, meeting: str, x: torch.Tensor, target: torch.Tensor) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    theirs, ours = nn.BatchNorm2d(4), BatchNorm(4)
    randomize(theirs)
    ours.load_state_dict(theirs.state_dict())
    shares = [slice(0, 1), slice(1, 3)]  # batches need not be equal
    whole = x.clone().requires_grad_()
    (theirs(whole) * target).sum().backward()
    mine = x[shares[rank]].clone().requires_grad_()
    (to_sync_batch_norm(ours)(mine) * target[shares[rank]]).sum().backward()
    assert whole.grad is not None
    torch.testing.assert_close(mine.grad, whole.grad[shares[rank]], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    assert ours.weight.grad is not None
    dist.all_reduce(ours.weight.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-5)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_normalize_as_one_with_the_whole_batch(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 5, 7, generator=random) + 100  # a large mean, beside which the variance is small
    target = torch.randn(3, 4, 5, 7, generator=random)
    context = multiprocessing.get_context("spawn")
    meeting = str(tmp_path / "meeting")
    processes = [context.Process(target=_one_of_two_processes, args=(rank, meeting, x, target)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


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


def test_resizing_with_aligned_corners_keeps_them() -> None:
    row = torch.tensor([0.0, 3.0]).reshape(1, 1, 1, 2)
    assert resize_bilinear(row, (1, 4), "align_corners").flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("count", "length"), [(3, 12), (5, 7), (4, 3), (1, 6), (6, 1)])
def test_asymmetric_resizing_reads_at_multiples_of_the_factor(count: int, length: int) -> None:
    row = torch.randn(count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(length, dtype=torch.float64) * count / length
    expected = torch.from_numpy(np.interp(positions.numpy(), np.arange(count), row.numpy()))
    resized = resize_bilinear(row.reshape(1, 1, 1, count), (1, length), "asymmetric").flatten()
    torch.testing.assert_close(resized, expected)
