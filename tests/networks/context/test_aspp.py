import pytest
import torch
from torch import nn

from atrous.networks.context import ASPP
from tests.networks.randomness import randomize

CONVOLUTION = {"convolution": "0", "norm": "1"}


def renamed(name: str) -> str:
    """The name that torchvision gives to one of our tensors."""
    branch, *rest = name.split(".")
    if branch == "pyramid":
        index, part, tensor = rest
        return f"convs.{int(index) + 1}.{CONVOLUTION[part]}.{tensor}"
    part, tensor = rest
    if branch == "image_pooling":  # behind the pooling itself
        return f"convs.4.{int(CONVOLUTION[part]) + 1}.{tensor}"
    return f"{ {'pointwise': 'convs.0', 'projection': 'project'}[branch] }.{CONVOLUTION[part]}.{tensor}"


@torch.no_grad()
@pytest.mark.parametrize("size", [(9, 13), (1, 1)])
def test_aspp_agrees_with_torchvision(size: tuple[int, int]) -> None:
    deeplabv3 = pytest.importorskip("torchvision.models.segmentation.deeplabv3")
    theirs: nn.Module = deeplabv3.ASPP(12, [2, 3, 5], out_channels=8).eval()
    ours = ASPP(12, [2, 3, 5], out_channels=8).eval()
    randomize(theirs)
    ours.load_state_dict({name: theirs.state_dict()[renamed(name)] for name in ours.state_dict()})
    x = torch.randn(2, 12, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rates", [(), (4,), (6, 12, 18, 24)])
@pytest.mark.parametrize("separable", [False, True])
def test_aspp_takes_any_number_of_rates(rates: tuple[int, ...], separable: bool) -> None:
    context = ASPP(6, rates, out_channels=8, separable=separable)
    assert context.out_channels == 8
    assert context(torch.rand(1, 6, 3, 5)).shape == (1, 8, 3, 5)


def test_dropout_is_of_training_alone() -> None:
    context = ASPP(6, (2,), out_channels=64, dropout=0.5)
    randomize(context)
    x = torch.rand(2, 6, 5, 5)
    torch.manual_seed(0)
    dropped = float((context.train()(x) == 0).float().mean())
    context.dropout.p = 0.0
    rectified = float((context(x) == 0).float().mean())
    assert dropped == pytest.approx(1 - (1 - rectified) / 2, abs=0.05)
    context.dropout.p = 0.5
    torch.testing.assert_close(context.eval()(x), context(x))
