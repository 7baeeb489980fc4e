"""Optimizers, and which parameters decay."""

from typing import Annotated, Literal, assert_never

import torch
from pydantic import Field
from torch import nn

from atrous.config import Config

Rate = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0)]


class SGDConfig(Config):
    """Stochastic gradient descent with momentum, the optimizer of all DeepLab papers."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: Rate = 0.01
    momentum: Fraction = 0.9
    nesterov: bool = False
    weight_decay: Decay = 1e-4


class AdamWConfig(Config):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Rate = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: Decay = 0.01


OptimizerConfig = Annotated[SGDConfig | AdamWConfig, Field(discriminator="kind")]


def build_optimizer(config: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of a network; convolutions decay, norms and biases do not.

    Returns:
        An optimizer with two groups, in this order; each group remembers its `base_learning_rate`.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    for group in groups:
        group["base_learning_rate"] = config.learning_rate
    rate = config.learning_rate
    match config:
        case SGDConfig():
            return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, nesterov=config.nesterov)
        case AdamWConfig():
            return torch.optim.AdamW(groups, lr=rate, betas=config.betas)
        case _:
            assert_never(config)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set every group's rate to its base times `factor`; return that of the first group."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_learning_rate"] * factor
    return float(optimizer.param_groups[0]["lr"])


def describe_optimizer(optimizer: torch.optim.Optimizer) -> str:
    """Say what the optimizer will really do, read from the live object."""
    parts = []
    for group in optimizer.param_groups:
        count = sum(parameter.numel() for parameter in group["params"])
        decay = f"with weight decay {group['weight_decay']:g}" if group["weight_decay"] else "without"
        parts.append(f"{count:,} {decay}")
    rates = sorted({group["base_learning_rate"] for group in optimizer.param_groups})
    rate = " and ".join(f"{rate:g}" for rate in rates)
    return f"{type(optimizer).__name__}, learning rate {rate}; parameters: {', '.join(parts)}"
