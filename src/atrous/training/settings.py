"""What a training really does: read from the live objects, not from the recipe, then said, written and kept."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from atrous.training.optimizer import set_learning_rate
from atrous.training.schedule import ScheduleConfig, learning_rate_factor
from atrous.training.state import Learner
from atrous.training.step import Arithmetic

MOST_VALUES = 3
"""Of one setting, in one line."""


@dataclass(frozen=True)
class GroupSettings:
    """A group of parameters that the optimizer treats alike."""

    tensors: int
    parameters: int
    learning_rate: float
    """Before the schedule multiplies it."""
    weight_decay: float
    others: dict[str, Any]
    """Momentum, betas, and whatever else the optimizer keeps for the group."""


@dataclass(frozen=True)
class NormSettings:
    """The batch norms of a network."""

    learning: int
    """How many normalize by the batch and move their statistics."""
    frozen: int
    """How many normalize by their statistics and leave them alone."""
    momentum: dict[str, int]
    """How many have each value."""
    epsilon: dict[str, int]


@dataclass(frozen=True)
class Settings:
    """What a training really does."""

    optimizer: str
    groups: list[GroupSettings]
    fixed_parameters: int
    """That no group holds: they stay as they are."""
    learning_rates: dict[str, list[float]]
    """At the first, the middle and the last step: of every group whose rate is another."""
    norms: NormSettings
    weights: dict[str, int]
    """How many parameters have each dtype."""
    memory_format: str
    arithmetic: str
    """Of forward and backward."""
    loss_scale: float | None
    device: str
    threads: int
    pictures_per_step: list[int]
    """Pictures per batch, batches per step."""
    crop: list[int]
    """Height, width."""
    steps: int
    epochs: float
    loader_processes: int

    def lines(self) -> list[str]:
        """All of it in words, beside what `describe` says anyway."""
        batch, accumulation = self.pictures_per_step
        crop = f"{self.crop[1]}x{self.crop[0]}"
        batches = f"{batch} crops of {crop}" if accumulation == 1 else f"{accumulation} x {batch} crops of {crop}"
        return [
            _group_lines(self.optimizer, self.groups, self.fixed_parameters),
            *(
                f"Learning rate{of}: {rates[0]:.3g} at first, {rates[1]:.3g} in the middle, {rates[2]:.3g} at last"
                for of, rates in self.learning_rates.items()
            ),
            f"{self.steps} steps of {batches}: {self.epochs:.3g} epochs",
            _norm_line(self.norms),
        ]

    def plain(self) -> dict[str, Any]:
        """All of it as values of JSON."""
        return asdict(self)


def read_settings(
    learner: Learner,
    arithmetic: Arithmetic,
    schedule: ScheduleConfig,
    *,
    steps: int,
    cuts: int,
    batch: tuple[int, int],
    crop: tuple[int, int],
    pictures: int,
    workers: int,
) -> Settings:
    """Read what a training does from what is alive in it; nothing is changed.

    Args:
        learner: Network, optimizer and scaler.
        arithmetic: Where and how the network computes.
        schedule: What multiplies the learning rates; it is asked as each step asks it.
        steps: Of the whole training.
        cuts: How often a plateau was met.
        batch: Pictures per batch, batches per step.
        crop: (height, width).
        pictures: Of the training split.
        workers: Loader processes.
    """
    network, optimizer, scaler, _ = learner
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    fixed = sum(weight.numel() for weight in network.parameters() if id(weight) not in held or not weight.requires_grad)
    return Settings(
        optimizer=type(optimizer).__name__,
        groups=[_group(group) for group in optimizer.param_groups],
        fixed_parameters=fixed,
        learning_rates=_rates(optimizer, schedule, steps, cuts),
        norms=_norms(network),
        weights=dict(Counter(str(weight.dtype).removeprefix("torch.") for weight in network.parameters())),
        memory_format=_memory_format(network.parameters()),
        arithmetic=arithmetic.precision,
        loss_scale=float(scaler.get_scale()) if scaler.is_enabled() else None,
        device=str(next(network.parameters()).device),
        threads=torch.get_num_threads(),
        pictures_per_step=list(batch),
        crop=list(crop),
        steps=steps,
        epochs=steps * batch[0] * batch[1] / pictures,
        loader_processes=workers,
    )


def _group(group: dict[str, Any]) -> GroupSettings:
    parameters: Sequence[Tensor] = group["params"]
    told = ("params", "lr", "base_learning_rate", "weight_decay")
    plain = {key: value for key, value in group.items() if key not in told and value not in (None, False, 0)}
    return GroupSettings(
        tensors=len(parameters),
        parameters=sum(parameter.numel() for parameter in parameters),
        learning_rate=float(group["base_learning_rate"]),
        weight_decay=float(group["weight_decay"]),
        others={key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()},
    )


def _rates(optimizer: torch.optim.Optimizer, schedule: ScheduleConfig, steps: int, cuts: int) -> dict[str, list[float]]:
    """What the groups' rates are at three steps, set as each step sets them, and then put back."""
    with _rates_kept(optimizer):
        rates: dict[int, list[float]] = {number: [] for number in range(len(optimizer.param_groups))}
        for step in (0, steps // 2, steps - 1):
            set_learning_rate(optimizer, learning_rate_factor(schedule, step, steps, cuts))
            for number, group in enumerate(optimizer.param_groups):
                rates[number].append(float(group["lr"]))
    different: list[list[float]] = []
    for values in rates.values():
        if values not in different:
            different.append(values)
    first = different[0][0] or 1.0
    return {f" x {values[0] / first:g}" if number else "": values for number, values in enumerate(different)}


@contextmanager
def _rates_kept(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    before = [group["lr"] for group in optimizer.param_groups]
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, before, strict=True):
            group["lr"] = rate


def _norms(network: nn.Module) -> NormSettings:
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    learning = [norm for norm in norms if norm.training and not getattr(norm, "frozen", False)]
    return NormSettings(
        learning=len(learning),
        frozen=len(norms) - len(learning),
        momentum=dict(Counter(f"{norm.momentum:g}" if norm.momentum is not None else "mean" for norm in norms)),
        epsilon=dict(Counter(f"{norm.eps:g}" for norm in norms)),
    )


def _memory_format(parameters: Iterator[nn.Parameter]) -> str:
    kernels = [weight for weight in parameters if weight.ndim == 4 and weight.shape[1] > 1 and weight.shape[2] > 1]
    last = [weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels]
    return "channels last" if kernels and all(last) else "mixed" if any(last) else "channels first"


def _group_lines(optimizer: str, groups: Sequence[GroupSettings], fixed: int) -> str:
    others = {key: value for group in groups for key, value in group.others.items()}
    listed = ", ".join(f"{key} {value if value is not True else 'on'}" for key, value in others.items())
    decaying, resting = ([group for group in groups if bool(group.weight_decay) == decays] for decays in (True, False))
    decays = sorted({group.weight_decay for group in decaying})
    parts = [f"{sum(group.tensors for group in resting)} tensors without weight decay"]
    if decaying:
        values = ", ".join(f"{decay:g}" for decay in decays[:MOST_VALUES])
        parts.insert(0, f"{sum(group.tensors for group in decaying)} tensors with weight decay {values}")
    if fixed:
        parts.append(f"{fixed:,} parameters stay as they are")
    return f"{optimizer}{f' ({listed})' * bool(listed)}: {'; '.join(parts)}"


def _norm_line(norms: NormSettings) -> str:
    if not norms.learning + norms.frozen:
        return "No batch norm"
    values = "; ".join(
        f"{name} {', '.join(f'{value} ({count})' if len(counted) > 1 else value for value, count in counted.items())}"
        for name, counted in (("momentum", norms.momentum), ("epsilon", norms.epsilon))
    )
    return f"Batch norms: {norms.learning} learn their statistics, {norms.frozen} keep them; {values}"
