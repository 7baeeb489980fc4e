"""Where each atrous stage looks: the response to a single bright pixel."""

import pytest
import torch
from torch import nn

from atrous.networks import DeepLabV1Config, DeepLabV2Config, DeepLabV3Config, MobileNetV2Config, build_network
from atrous.networks.context import ASPP, PUBLISHED_CELL, ASPPClassifiers, DensePredictionCell, LargeFieldOfView

SIZE, MIDDLE = 61, 30


@torch.no_grad()
def places(layer: nn.Module, channels: int) -> set[tuple[int, int]]:
    """Where, seen from the middle, a pixel in the middle is noticed."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.fill_(1.0)
            if module.bias is not None:
                module.bias.zero_()
    impulse = torch.zeros(1, channels, SIZE, SIZE)
    impulse[..., MIDDLE, MIDDLE] = 1
    response = layer.eval()(impulse).abs().sum(dim=(0, 1)) > 1e-6
    return {(int(y) - MIDDLE, int(x) - MIDDLE) for y, x in response.nonzero()}


def taps(vertical: int, horizontal: int | None = None) -> set[tuple[int, int]]:
    horizontal = horizontal or vertical
    return {(y, x) for y in (-vertical, 0, vertical) for x in (-horizontal, 0, horizontal)}


@pytest.mark.parametrize("separable", [False, True])
def test_each_branch_of_the_aspp_reaches_its_rate(separable: bool) -> None:
    context = ASPP(3, (6, 12, 18), out_channels=4, separable=separable)
    assert [places(branch, 3) for branch in context.pyramid] == [taps(6), taps(12), taps(18)]
    assert places(context.pointwise, 3) == {(0, 0)}


@pytest.mark.parametrize("rates", [(6, 12, 18, 24), (12,)])
def test_the_classifiers_of_v2_reach_their_rates_and_are_added(rates: tuple[int, ...]) -> None:
    classifiers = ASPPClassifiers(3, 2, rates)
    assert [places(branch, 3) for branch in classifiers.branches] == [taps(rate) for rate in rates]
    assert places(classifiers, 3) == set[tuple[int, int]]().union(*map(taps, rates))


def test_fc6_of_the_large_field_of_view_reaches_its_rate() -> None:
    assert places(LargeFieldOfView(3, (12,), channels=4), 3) == taps(12)
    assert places(LargeFieldOfView(3, (4,), channels=4, kernel_size=7), 3) == {
        (4 * y, 4 * x) for y in range(-3, 4) for x in range(-3, 4)
    }


def test_each_branch_of_the_published_cell_reaches_its_own_rate_in_each_direction() -> None:
    cell = DensePredictionCell(3, PUBLISHED_CELL, [branch.rate for branch in PUBLISHED_CELL], out_channels=4)
    reached = [places(branch, 3 if number == 0 else 4) for number, branch in enumerate(cell.branches)]
    assert reached == [taps(1, 6), taps(18, 15), taps(6, 3), taps(1, 1), taps(6, 21)]


def rates_of(network: nn.Module) -> list[tuple[int, ...]]:
    return [
        module.dilation
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1) and not name.startswith("backbone")
    ]


@pytest.mark.parametrize("output_stride", [8, 16])
def test_rates_follow_the_output_stride(output_stride: int) -> None:
    """v1 and v2 state theirs for output stride 8, v3 for 16, each as its paper; twice as fine means twice as far."""
    factor, backbone = 16 // output_stride, MobileNetV2Config(width=0.25)
    v1, v2, v3, cell = (
        rates_of(build_network(config, 2).with_output_stride(output_stride))
        for config in (
            DeepLabV1Config(backbone=backbone, hidden_channels=None),
            DeepLabV2Config(backbone=backbone),
            DeepLabV3Config(backbone=backbone),
            DeepLabV3Config(backbone=backbone, cell=PUBLISHED_CELL),
        )
    )
    assert v1 == [(6 * factor, 6 * factor)]
    assert v2 == [(rate * factor, rate * factor) for rate in (3, 6, 9, 12)]
    assert v3 == [(rate * factor, rate * factor) for rate in (6, 12, 18)]
    assert cell == [tuple(rate * factor for rate in branch.rate) for branch in PUBLISHED_CELL]
