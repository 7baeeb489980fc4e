import pytest
import torch
from torch import nn

from atrous.inference.folding import fold_into, folded
from atrous.networks import NetworkConfig, build_network
from tests.small import SMALL_NETWORKS


def with_statistics(network: nn.Module) -> nn.Module:
    """The network as if it had been trained: no norm is the identity."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                tensor.data = torch.rand(tensor.shape, generator=generator) + 0.5
    return network.eval()


@torch.inference_mode()
@pytest.mark.parametrize("config", SMALL_NETWORKS, ids=lambda config: config.kind)
def test_a_folded_network_answers_as_it_did(config: NetworkConfig) -> None:
    network = build_network(config, num_classes=5)
    with_statistics(network)
    image = torch.rand(2, 3, 65, 97, generator=torch.Generator().manual_seed(0))
    expected = network.low_resolution_logits(image)
    found = folded(network).low_resolution_logits(image)
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_folding_leaves_the_network_itself_alone_and_no_norm_behind() -> None:
    network = build_network(SMALL_NETWORKS[-1], num_classes=5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    ready = folded(network)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in ready.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_norm_without_statistics_is_refused() -> None:
    with pytest.raises(ValueError, match="running statistics"):
        fold_into(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, track_running_stats=False))
