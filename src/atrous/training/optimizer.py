"""Optimizers, and which parameters decay."""

from collections.abc import Iterator
from typing import Annotated, Literal, assert_never

import torch
from pydantic import Field
from torch import nn

from atrous.config import Config

Rate = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0)]


class _Multipliers(Config):
    """Learning rates that differ between what was trained before and what is new."""

    head_multiplier: Rate = 1.0
    """Multiplies the rate of all that is not backbone; 10 in DeepLab v1 and v2."""
    bias_multiplier: Rate = 1.0
    """Multiplies it again for the biases of the convolutions there; 2 in v1 and v2, which makes 20."""


class SGDConfig(_Multipliers):
    """Stochastic gradient descent with momentum, the optimizer of all DeepLab papers."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: Rate = 0.01
    momentum: Fraction = 0.9
    nesterov: bool = False
    weight_decay: Decay = 1e-4


class AdamConfig(_Multipliers):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980); the weight decay is added to the gradient."""

    kind: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: Decay = 0.0


class AdamWConfig(_Multipliers):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Rate = 1e-3
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: Decay = 0.01


OptimizerConfig = Annotated[SGDConfig | AdamConfig | AdamWConfig, Field(discriminator="kind")]


def build_optimizer(config: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of a network; convolutions decay, norms and biases do not; what is frozen is left out.

    Returns:
        An optimizer with a group for each pair of learning rate and decay; each remembers its `base_learning_rate`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for decays in (True, False):
        for parameter, multiplier in _learning(config, network):
            if (parameter.ndim > 1) == decays:
                rate, decay = config.learning_rate * multiplier, config.weight_decay if decays else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
    listed = [
        {"params": parameters, "lr": rate, "base_learning_rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    rate = config.learning_rate
    match config:
        case SGDConfig():
            return torch.optim.SGD(listed, lr=rate, momentum=config.momentum, nesterov=config.nesterov)
        case AdamConfig():
            return torch.optim.Adam(listed, lr=rate, betas=config.betas)
        case AdamWConfig():
            return torch.optim.AdamW(listed, lr=rate, betas=config.betas)
        case _:
            assert_never(config)


def _learning(config: OptimizerConfig, network: nn.Module) -> Iterator[tuple[nn.Parameter, float]]:
    """Every parameter that learns, once, and what its learning rate is multiplied by."""
    seen: set[nn.Parameter] = set()
    for place, module in network.named_modules():
        new = place.split(".")[0] != "backbone"
        head, bias = (config.head_multiplier, config.bias_multiplier) if new else (1.0, 1.0)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                is_bias = name == "bias" and isinstance(module, nn.Conv2d)
                yield parameter, head * (bias if is_bias else 1.0)


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
        parts.append((group["base_learning_rate"], f"{count:,} {decay}"))
    rates = dict.fromkeys(rate for rate, _ in parts)
    listed = "; ".join(
        f"learning rate {rate:g}: {', '.join(part for of, part in parts if of == rate)}" for rate in rates
    )
    return f"{type(optimizer).__name__}, parameters at {listed}"
