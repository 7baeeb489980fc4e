"""The learning rate over the steps of a training."""

from typing import Annotated, Literal, assert_never

from pydantic import Field

from atrous.config import Config


class PolyConfig(Config):
    """The poly schedule of DeepLab: (1 - step / steps) ^ power; before it a linear warm-up."""

    kind: Literal["poly"] = "poly"
    power: Annotated[float, Field(gt=0)] = 0.9
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """So many steps at the beginning multiply the rate by (step + 1) / (warmup_steps + 1)."""
    every: Annotated[int, Field(ge=1)] = 1
    """The rate falls only every so many steps; 10 in the v2 on COCO-Stuff."""


class StepConfig(Config):
    """The schedule of DeepLab v1: the rate is cut every so many steps."""

    kind: Literal["step"] = "step"
    every: Annotated[int, Field(ge=1)]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


ScheduleConfig = Annotated[PolyConfig | StepConfig, Field(discriminator="kind")]


def learning_rate_factor(config: ScheduleConfig, step: int, steps: int) -> float:
    """What the optimizer's learning rate is multiplied by at a step, counted from 0; 0..1.

    Source of poly: Liu et al. 2015 (arXiv:1506.04579), adopted by DeepLabv2, section 4.1.2.
    """
    match config:
        case PolyConfig():
            warmup = min((step + 1) / (config.warmup_steps + 1), 1.0)
            since = step - step % config.every
            return float(warmup * (1 - since / steps) ** config.power)
        case StepConfig():
            return float(config.factor ** (step // config.every))
        case _:
            assert_never(config)
