"""The learning rate over the steps of a training."""

from typing import Annotated, Literal

from pydantic import Field

from atrous.config import Config


class PolyConfig(Config):
    """The poly schedule of DeepLab: (1 - step / steps) ^ power; before it a linear warm-up."""

    kind: Literal["poly"] = "poly"
    power: Annotated[float, Field(gt=0)] = 0.9
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """So many steps at the beginning multiply the rate by (step + 1) / (warmup_steps + 1)."""


def learning_rate_factor(config: PolyConfig, step: int, steps: int) -> float:
    """What the optimizer's learning rate is multiplied by at a step, counted from 0; 0..1.

    Source: Liu et al. 2015 (arXiv:1506.04579), adopted by DeepLabv2, section 4.1.2.
    """
    warmup = min((step + 1) / (config.warmup_steps + 1), 1.0)
    return float(warmup * (1 - step / steps) ** config.power)
