"""A scene: a canvas, the camera that looks at it, the light, and the chance that decides."""

import math
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from atrous.data.street.canvas import Camera, Canvas, Color, Points

T = TypeVar("T")
Point = tuple[float, float]

NEAR, FAR = 1.0, 300.0  # metres ahead; what is nearer lies below the picture's lower edge


class Thing(IntEnum):
    """The classes."""

    SKY = 0
    BUILDING = 1
    ROAD = 2
    PAVEMENT = 3
    GRASS = 4
    TREE = 5
    POLE = 6
    SIGN = 7
    CAR = 8
    PERSON = 9


class Weather(NamedTuple):
    """The light of a scene."""

    zenith: Color
    horizon: Color
    clouds: Color
    light: Color
    """What it multiplies red, green and blue by."""
    shadow: float
    """How much light a shadow takes away, 0..1."""
    visibility: float
    """Metres after which about a third of a colour is left in the haze."""
    lit_windows: float
    """The share of windows with a light behind."""


WEATHERS = {
    "noon": Weather((84, 150, 222), (196, 224, 242), (250, 251, 252), (1.05, 1.03, 0.98), 0.40, 260, 0.0),
    "overcast": Weather((150, 158, 168), (206, 208, 210), (178, 184, 192), (0.84, 0.86, 0.88), 0.12, 140, 0.1),
    "sunset": Weather((98, 106, 170), (252, 194, 134), (250, 170, 148), (1.04, 0.87, 0.72), 0.36, 150, 0.3),
    "dusk": Weather((40, 46, 96), (156, 116, 154), (94, 82, 126), (0.54, 0.53, 0.68), 0.16, 120, 0.6),
    "fog": Weather((198, 204, 206), (216, 219, 218), (208, 212, 212), (0.90, 0.92, 0.92), 0.06, 55, 0.2),
}


class Scene:
    """What is being painted."""

    def __init__(self, rng: Generator, size: tuple[int, int]) -> None:
        """An empty scene for a picture of `size`, (height, width); its choices depend on `rng` alone."""
        self.rng = rng
        self.canvas = Canvas(size)
        height, width = self.canvas.size
        self.camera = Camera(
            focal_length=height * rng.uniform(0.95, 1.15),
            vanishing_point=rng.uniform((0.34, 0.38), (0.66, 0.50)) * (width, height),
            height=rng.uniform(1.8, 2.6),
        )
        self.weather = WEATHERS[self.choose(("noon", "noon", "noon", "overcast", "sunset", "dusk", "fog"))]
        self.exposure = rng.uniform(0.85, 1.12)
        self.sun = self.choose((-1.0, 1.0))
        """The side that the sun stands on: -1 left, 1 right."""

    def choose(self, choices: Sequence[T]) -> T:
        """One of several, all equally likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return bool(self.rng.random() < share)

    def tinted(self, choices: Sequence[Color]) -> Color:
        """One of several colours, a little off, so that no two are quite the same."""
        red, green, blue = np.array(self.choose(choices)) * self.rng.uniform(0.9, 1.1) + self.rng.normal(0, 6, 3)
        return red, green, blue

    def at_least(self, metres: float, pixels: float, distance: float) -> float:
        """A length in metres that at this distance is seen at least that large, in a picture 120 pixels high."""
        return max(metres, pixels * distance * self.canvas.size[0] / 120 / self.camera.focal_length)

    def fill(self, polygons: Points, color: Color, shade: float = 1.0) -> None:
        """Fill convex polygons, float [..., N, 3] in metres, in their colour under this light, at their distance."""
        self.canvas.fill(self.camera.project(polygons), self.seen(color, polygons.item(2), shade))

    def lay(self, polygons: Points, color: Color, shade: float = 1.0) -> None:
        """Fill what lies flat, without the haze, which is another one on each row of the picture."""
        self.canvas.fill(self.camera.project(polygons), self.seen(color, 0.0, shade))

    def seen(self, color: Color, distance: float, shade: float = 1.0) -> Color:
        """A colour under this light, through the haze before it."""
        left = math.exp(-distance / self.weather.visibility)
        own, haze = left * shade * self.exposure, (1 - left) * min(1.0, self.exposure)
        (red, green, blue), light, horizon = color, self.weather.light, self.weather.horizon
        return (
            red * light[0] * own + horizon[0] * haze,
            green * light[1] * own + horizon[1] * haze,
            blue * light[2] * own + horizon[2] * haze,
        )

    def clearness_of_rows(self) -> NDArray[np.float32]:
        """float32 [height of the canvas]: what the haze leaves of the ground's colours; 0 above the horizon."""
        rows = np.arange(0.5, self.canvas.size[0])
        return np.exp(-self.camera.distance_of_rows(rows) / self.weather.visibility).astype(np.float32)


def upright(left: float, right: float, bottom: float, top: float, distance: float) -> Points:
    """The corners, float [4, 3], of a rectangle that stands and faces the camera."""
    return np.array(
        [(left, bottom, distance), (right, bottom, distance), (right, top, distance), (left, top, distance)]
    )


def disc(center: Point, radii: tuple[float, float], distance: float, corners: int = 16) -> Points:
    """The corners, float [corners, 3], of an ellipse that stands and faces the camera."""
    return standing_at(distance, circle(corners) * radii + center)


def standing_at(distance: float, outline: Points) -> Points:
    """Stand float [..., 2] (x, y) upright, facing the camera: float [..., 3]."""
    points = np.full((*outline.shape[:-1], 3), distance)
    points[..., :2] = outline
    return points


@cache
def circle(corners: int) -> Points:
    """The corners, float [corners, 2], of a regular polygon around the origin that reaches to 1; one lies at (1, 0)."""
    angles = np.arange(corners) * (2 * math.pi / corners)
    return np.stack((np.cos(angles), np.sin(angles)), axis=-1)


def strip(left: float, right: float, near: float, far: float, height: float = 0.0) -> Points:
    """The corners, float [4, 3], of a rectangle that lies flat."""
    return np.array([(left, height, near), (right, height, near), (right, height, far), (left, height, far)])


def side(x: float, bottom: float, top: float, near: float, far: float) -> Points:
    """The corners, float [4, 3], of a rectangle that stands along the street."""
    return np.array([(x, bottom, near), (x, bottom, far), (x, top, far), (x, top, near)])
