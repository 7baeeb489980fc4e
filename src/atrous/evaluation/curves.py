"""Curves of a training run, made ready to draw: a path, ticks and the numbers worth reading."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

SPAN = 1000  # the plane in which a path is drawn; whoever draws it stretches it to size
MOST_POINTS = 600  # beyond this, neighbours fall on one pixel
TICKS = 4

Point = tuple[float, float]


class Curve(NamedTuple):
    """A number that was followed over the steps of a training run; None and NaN are gaps."""

    title: str
    unit: str
    steps: Sequence[int]
    values: Sequence[float | None]


class Tick(NamedTuple):
    """A mark on an axis: its place in 0..1 (from the left, or from the top) and its words."""

    place: float
    text: str


class Plot(NamedTuple):
    """A curve to draw in a square of `SPAN`, origin at the top left."""

    path: str
    """The data of an SVG path; a point without neighbours is a line of length zero."""
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    end: tuple[float, float]
    """The place of the last value in 0..1, from the left and from the top."""
    last: str
    first: str
    first_step: str
    last_step: str
    lowest: str
    highest: str


def plot(curve: Curve) -> Plot | None:
    """Lay out a curve.

    Thousands of points are thinned such that every peak stays.

    Returns:
        What to draw; None if no value is a finite number.

    Raises:
        ValueError: If there are not as many values as steps.
    """
    points = _points(curve)
    finite = [(step, value) for step, value in points if value is not None]
    if not finite:
        return None
    steps, values = [step for step, _ in finite], [value for _, value in finite]
    x_axis, y_axis = _Axis.of_steps(steps), _Axis.around(values)
    return Plot(
        path=_path(_thinned(points), x_axis, y_axis),
        x_ticks=[Tick(x_axis.place(tick), short_number(tick)) for tick in x_axis.ticks(whole=True)],
        y_ticks=[Tick(1 - y_axis.place(tick), short_number(tick)) for tick in y_axis.ticks()],
        end=(x_axis.place(steps[-1]), 1 - y_axis.place(values[-1])),
        last=number(values[-1]),
        first=number(values[0]),
        first_step=f"{steps[0]:,}",
        last_step=f"{steps[-1]:,}",
        lowest=number(min(values)),
        highest=number(max(values)),
    )


def number(value: float) -> str:
    """A number to read: four significant digits, thousands separated."""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4g}".replace("e-0", "e-")
    decimals = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short_number(value: float) -> str:
    """A round number to stand on an axis: 20k for 20000."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1000 * size:
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"


class _Axis(NamedTuple):
    low: float
    high: float

    @classmethod
    def of_steps(cls, steps: Sequence[int]) -> "_Axis":
        low, high = min(steps), max(steps)
        return cls(low, high) if low < high else cls(low - 0.5, high + 0.5)

    @classmethod
    def around(cls, values: Sequence[float]) -> "_Axis":
        low, high = min(values), max(values)
        room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        # A loss or a score that never is negative gets no axis below zero.
        return cls(max(0.0, low - room) if low >= 0 else low - room, high + room)

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self, whole: bool = False) -> list[float]:
        distance = _round_distance((self.high - self.low) / TICKS, whole)
        first, last = math.ceil(self.low / distance - 1e-9), math.floor(self.high / distance + 1e-9)
        return [index * distance for index in range(first, last + 1)]


def _round_distance(wanted: float, whole: bool) -> float:
    """The smallest of 1, 2, 2.5, 5, 10, ... times a power of ten that is at least `wanted`."""
    power = 10.0 ** math.floor(math.log10(max(1.0, wanted) if whole else wanted))
    distances = (factor * power for factor in (1, 2, 2.5, 5, 10, 20))
    return next(distance for distance in distances if distance >= wanted and (not whole or distance.is_integer()))


def _points(curve: Curve) -> list[tuple[int, float | None]]:
    if len(curve.steps) != len(curve.values):
        raise ValueError(f"the curve {curve.title!r} has {len(curve.steps)} steps and {len(curve.values)} values")
    return [
        (int(step), float(value) if value is not None and math.isfinite(value) else None)
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]


def _thinned(points: Sequence[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """At most `MOST_POINTS`: of each stretch the lowest and the highest, or one gap if it holds nothing else."""
    if len(points) <= MOST_POINTS:
        return list(points)
    size = math.ceil(2 * len(points) / MOST_POINTS)
    stretches = (points[start : start + size] for start in range(0, len(points), size))
    return [point for stretch in stretches for point in _extremes(stretch)]


def _extremes(stretch: Sequence[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    finite = [(value, index) for index, (_, value) in enumerate(stretch) if value is not None]
    if not finite:
        return [stretch[0]]
    return [stretch[index] for index in sorted({min(finite)[1], max(finite)[1]})]


def _path(points: Sequence[tuple[int, float | None]], x_axis: _Axis, y_axis: _Axis) -> str:
    return "".join(
        "M" + "L".join(f"{SPAN * x:.1f} {SPAN * (1 - y):.1f}" for x, y in (run if len(run) > 1 else run * 2))
        for run in _runs(points, x_axis, y_axis)
    )


def _runs(points: Sequence[tuple[int, float | None]], x_axis: _Axis, y_axis: _Axis) -> Iterator[list[Point]]:
    """The stretches between gaps."""
    for is_gap, run in groupby(points, key=lambda point: point[1] is None):
        if not is_gap:
            yield [(x_axis.place(step), y_axis.place(value)) for step, value in run if value is not None]
