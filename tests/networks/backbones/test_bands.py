import pytest
import torch
from torch import Tensor

from atrous.networks.backbones import adapt_input_channels


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))


def answer(weight: Tensor) -> Tensor:
    """What a picture of equal bands gives."""
    return torch.nn.functional.conv2d(torch.ones(1, weight.shape[1], 3, 3), weight)


@pytest.mark.parametrize("channels", [1, 3, 6, 9])
def test_equal_bands_give_the_answer_of_a_grey_picture(weight: Tensor, channels: int) -> None:
    torch.testing.assert_close(answer(adapt_input_channels(weight, channels)), answer(weight))


def test_other_bands_take_the_colours_in_turn(weight: Tensor) -> None:
    adapted = adapt_input_channels(weight, 4)
    torch.testing.assert_close(adapted, weight[:, [0, 1, 2, 0]] * 3 / 4)
    assert adapt_input_channels(weight, 3) is weight


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_the_rule_is_that_of_timm(weight: Tensor, channels: int) -> None:
    timm = pytest.importorskip("timm.models")
    torch.testing.assert_close(adapt_input_channels(weight, channels), timm.adapt_input_conv(channels, weight))


def test_only_weights_for_three_colours_are_adapted(weight: Tensor) -> None:
    with pytest.raises(ValueError, match="the weights see 2 bands, but the rule starts from the 3"):
        adapt_input_channels(weight[:, :2], 4)
    with pytest.raises(ValueError, match="0 bands were asked for, but a picture has 1 or more"):
        adapt_input_channels(weight, 0)
