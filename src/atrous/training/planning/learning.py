"""How the network learns: loss, optimizer, learning rate, and the average of the weights."""

import math
from typing import NamedTuple

from atrous.training.losses import CrossEntropyConfig, LossConfig
from atrous.training.optimizer import AdamWConfig, OptimizerConfig, SGDConfig
from atrous.training.planning.choice import Choice, Start
from atrous.training.planning.facts import DataFacts

HEAVY_IMBALANCE = 20.0
"""The most frequent class by the rarest, from which the loss weighs classes."""
LARGEST_WEIGHT = 5.0
ADAMW_RATE = 1.5e-3
"""For batches of 8 from random weights."""
TUNED_SHARE = 0.5
"""Of that rate where the network starts from weights, which large steps would forget."""
SGD_RATE = 0.007
"""For batches of 16: DeepLab v3's (arXiv:1706.05587)."""
SHORT = 300
"""Updates up to which the rate is twice as high: small steps would not get far enough."""
LONG = 20_000
"""Updates from which SGD is worth its slow beginning: the papers train 30,000 and more."""
WARMUP_SHARE = 0.05
MOST_WARMUP = 500
AVERAGE_FROM = 300
"""Updates from which a moving average of the weights has something to average."""


def choose_loss(data: DataFacts) -> tuple[LossConfig, Choice]:
    """Choose the loss: plain where classes are about equally frequent, else with dampened weights.

    A class weighs the square root of the median frequency by its own, within 1 / `LARGEST_WEIGHT` .. `LARGEST_WEIGHT`:
    the full ratio would make rare classes appear wherever they might be.
    """
    if data.imbalance < HEAVY_IMBALANCE:
        why = f"the rarest class is {data.imbalance:.0f} times rarer than the most frequent: no weights"
        return CrossEntropyConfig(), Choice("loss", "cross-entropy", why)
    weights = dampened_weights(data)
    rarest = min((name for name in weights if _share(data, name) > 0), key=lambda name: _share(data, name))
    why = f"{rarest} has {_share(data, rarest):.2%} of the pixels; by the root of frequencies"
    words = f"weighted {min(weights.values()):.2g} to {max(weights.values()):.2g}"
    return CrossEntropyConfig(class_weights=weights), Choice("loss", words, why)


def dampened_weights(data: DataFacts) -> dict[str, float]:
    """What each class weighs; 1 for one that was not seen."""
    present = sorted(share for share in data.shares if share > 0)
    median = present[len(present) // 2]
    weights = {}
    for name, share in zip(data.classes, data.shares, strict=True):
        weight = math.sqrt(median / share) if share > 0 else 1.0
        weights[name] = round(min(LARGEST_WEIGHT, max(1 / LARGEST_WEIGHT, weight)), 2)
    return weights


def _share(data: DataFacts, name: str) -> float:
    return data.shares[data.classes.index(name)]


class Learning(NamedTuple):
    """Optimizer and what goes with it."""

    optimizer: OptimizerConfig
    warmup_steps: int
    average_decay: float | None
    choices: tuple[Choice, ...]


def choose_learning(pictures_per_update: int, steps: int, start: Start | None) -> Learning:
    """Choose optimizer, learning rate, warm-up and average for so many updates."""
    optimizer, choice = _optimizer(pictures_per_update, steps, start)
    warmup = min(MOST_WARMUP, max(1, round(WARMUP_SHARE * steps)))
    decay = None
    average = Choice("average", "none", f"{steps:,} updates are too few for a moving average")
    if steps >= AVERAGE_FROM:
        decay = round(1 - 1 / max(20, min(1000, steps / 20)), 4)  # looks back over a twentieth of the training
        average = Choice("average", f"decay {decay:g}", "a moving average of the weights is steadier")
    return Learning(optimizer, warmup, decay, (choice, average))


def _optimizer(batch: int, steps: int, start: Start | None) -> tuple[OptimizerConfig, Choice]:
    if steps >= LONG:
        rate = _rounded(SGD_RATE * batch / 16)
        why = f"{steps:,} updates are long, as in the papers; for {batch} at once"
        return SGDConfig(learning_rate=rate), Choice("optimizer", f"SGD, rate {rate:g}", why)
    share = 1.0 if start is None else TUNED_SHARE
    hurry = 2.0 if steps <= SHORT else 1.0
    rate = _rounded(ADAMW_RATE * share * hurry * math.sqrt(batch / 8))
    from_ = "random weights" if start is None else "trained weights"
    why = f"quick in {steps:,} updates; for {batch} at once from {from_}"
    if hurry > 1:
        why += ", doubled for so few"
    config = AdamWConfig(learning_rate=rate, weight_decay=0.03)
    return config, Choice("optimizer", f"AdamW, rate {rate:g}", why)


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")
