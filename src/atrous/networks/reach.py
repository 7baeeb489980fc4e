"""How much of the image a value depends on, and how one operation after the other lets that grow."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Reach:
    """How much of the image a value depends on."""

    field: tuple[int, int] = (1, 1)
    """Pixels of the image, vertical and horizontal, that convolutions and pools see; the mean of an image apart."""
    jump: tuple[float, float] = (1.0, 1.0)
    """Pixels of the image between neighbouring values."""
    whole_image: bool = False
    """Whether a mean of the whole image is in it."""


def after(operation: str, arguments: Any, output: Tensor, before: Reach) -> Reach:
    """How far a result reaches, where its inputs reach as far as `before`."""
    match operation:
        case "convolution":
            _, weight, _, stride, _, rate, *_ = arguments
            return _windowed(before, weight.shape[2:], stride, rate)
        case "max_pool2d_with_indices" | "avg_pool2d":
            kernel, stride = arguments[1], (arguments[2] if len(arguments) > 2 and arguments[2] else arguments[1])
            rate = arguments[4] if operation.startswith("max") and len(arguments) > 4 else (1, 1)
            return _windowed(before, kernel, stride, rate)
        case "upsample_bilinear2d":
            return _resized(before, arguments[0].shape[-2:], output.shape[-2:])
        case "mean" | "_adaptive_avg_pool2d":
            return _averaged(before, arguments[0].shape[-2:], output.shape[-2:])
        case _:
            return before


def _windowed(before: Reach, kernel: Any, stride: Any, rate: Any) -> Reach:
    sides = zip(before.field, before.jump, _pair(kernel), _pair(stride), _pair(rate), strict=True)
    grown = [(field + round((k - 1) * r * jump), jump * s) for field, jump, k, s, r in sides]
    (vertical, down), (horizontal, across) = grown
    return Reach((vertical, horizontal), (down, across), before.whole_image)


def _averaged(before: Reach, old: Any, new: Any) -> Reach:
    """A mean of the whole image, or of the cells of a grid over it."""
    (down, across), (height, width) = before.jump, (a / b for a, b in zip(old, new, strict=True))
    return Reach(before.field, (down * height, across * width), whole_image=True)


def _resized(before: Reach, old: Any, new: Any) -> Reach:
    """A bilinear value lies between two neighbours."""
    (down, across), (v, h) = before.jump, (_factor(*sizes) for sizes in zip(old, new, strict=True))
    field = (before.field[0] + round(down), before.field[1] + round(across))
    return Reach(before.field if before.whole_image else field, (down / v, across / h), before.whole_image)


def _factor(small: int, large: int) -> float:
    """The factor between the strides of two sizes: 129 is 4 times 33, as both were rounded up."""
    ratio = large / small
    power = 2.0 ** round(math.log2(ratio))
    return power if abs(ratio / power - 1) < 0.25 else ratio


def widest(given: list[Reach]) -> Reach:
    """The reach of a value that several are part of; what is a mean of the image holds at all places of the others."""
    vertical, horizontal = (max(reach.field[axis] for reach in given) for axis in (0, 1))
    placed = [reach for reach in given if not reach.whole_image] or given
    whole_image = any(reach.whole_image for reach in given)
    return Reach((vertical, horizontal), min(reach.jump for reach in placed), whole_image)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
