"""The learning rate over the steps of a training."""

import math
from typing import Annotated, Literal, assert_never

from pydantic import Field

from atrous.config import Config


class _Warmup(Config):
    """What all schedules begin with."""

    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """So many steps at the beginning multiply the rate by (step + 1) / (warmup_steps + 1)."""


class PolyConfig(_Warmup):
    """The poly schedule of DeepLab: (1 - step / steps) ^ power."""

    kind: Literal["poly"] = "poly"
    power: Annotated[float, Field(gt=0)] = 0.9
    every: Annotated[int, Field(ge=1)] = 1
    """The rate falls only every so many steps; 10 in the v2 on COCO-Stuff."""


class StepConfig(_Warmup):
    """The schedule of DeepLab v1: the rate is cut every so many steps."""

    kind: Literal["step"] = "step"
    every: Annotated[int, Field(ge=1)]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class CosineConfig(_Warmup):
    """Half a wave of the cosine, from the whole rate down to `final` of it (arXiv:1608.03983, without restarts)."""

    kind: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the rate that is left at the end."""


class PlateauConfig(_Warmup):
    """The rate is cut whenever so many validations in a row have brought no better score."""

    kind: Literal["plateau"] = "plateau"
    patience: Annotated[int, Field(ge=0)] = 3
    """Validations without a better score that are borne; the one after them cuts the rate."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


ScheduleConfig = Annotated[PolyConfig | StepConfig | CosineConfig | PlateauConfig, Field(discriminator="kind")]


def learning_rate_factor(config: ScheduleConfig, step: int, steps: int, cuts: int = 0) -> float:
    """What the optimizer's learning rate is multiplied by.

    Source of poly: Liu et al. 2015 (arXiv:1506.04579), adopted by DeepLabv2, section 4.1.2.

    Args:
        config: The schedule.
        step: Counted from 0.
        steps: Of the whole training.
        cuts: How often a plateau was met before.

    Returns:
        A number in 0..1.
    """
    warmup = min((step + 1) / (config.warmup_steps + 1), 1.0)
    match config:
        case PolyConfig():
            since = step - step % config.every
            return float(warmup * (1 - since / steps) ** config.power)
        case StepConfig():
            return float(warmup * config.factor ** (step // config.every))
        case CosineConfig():
            wave = (1 + math.cos(math.pi * step / steps)) / 2
            return warmup * (config.final + (1 - config.final) * wave)
        case PlateauConfig():
            return float(warmup * config.factor**cuts)
        case _:
            assert_never(config)
