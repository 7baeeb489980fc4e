"""Weights and statistics that no layer can ignore."""

import torch
from torch import nn


def randomize(network: nn.Module, seed: int = 0) -> None:
    """Give every convolution random weights that keep the signal's size, every normalization random statistics."""
    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(std=(2 / fan_in) ** 0.5, generator=random)
            if module.bias is not None:
                module.bias.data.normal_(std=0.2, generator=random)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.weight.data.uniform_(0.5, 1.5, generator=random)
            module.bias.data.normal_(std=0.2, generator=random)
            module.running_mean.normal_(std=0.2, generator=random)
            module.running_var.uniform_(0.5, 2, generator=random)
