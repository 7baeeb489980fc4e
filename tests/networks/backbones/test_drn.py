import pytest
import torch
from torch import nn

from atrous.networks.backbones.drn import DRN, Variant
from tests.networks.backbones.oracle import parameters_with_classifier


@pytest.mark.parametrize(
    ("variant", "millions"),
    [("C-26", 21.1), ("C-42", 31.2), ("C-58", 40.5), ("D-22", 16.4), ("D-38", 26.5), ("D-54", 35.8), ("D-105", 54.8)],
)
def test_it_has_the_published_parameters_with_the_classifier_of_imagenet(variant: Variant, millions: float) -> None:
    # For C-58 there is 41.6 too: it counts a projection of level 7 that the authors' code has and never uses.
    with torch.device("meta"):
        assert round(parameters_with_classifier(DRN(variant, 8), 512) / 1e6, 1) == millions


@pytest.mark.parametrize(("variant", "layers"), [("C-26", 26), ("C-42", 42), ("D-22", 22), ("D-38", 38), ("D-54", 54)])
def test_its_name_counts_the_layers_with_weights(variant: Variant, layers: int) -> None:
    with torch.device("meta"):
        tensors = DRN(variant, 8).state_dict()
    convolutions = [name for name in tensors if name.endswith("convolution.weight") and "shortcut" not in name]
    assert len(convolutions) + 1 == layers  # and the classifier


@torch.no_grad()
def test_the_levels_that_smooth_the_grid_add_nothing_to_their_input() -> None:
    for variant in ("C-26", "D-22"):
        network = DRN(variant, 8).eval()
        for level in (network.levels[6], network.levels[7]):
            for module in level.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.zero_()
            assert not level(torch.rand(1, 512, 5, 5)).any()
