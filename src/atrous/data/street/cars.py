"""Cars: small boxes on wheels, seen from any side."""

import math
from collections.abc import Sequence

import numpy as np

from atrous.data.street.canvas import Color, Points
from atrous.data.street.scene import Point, Scene, Thing, disc, side, strip, upright

PAINTS = (
    (196, 46, 44), (236, 236, 232), (44, 46, 52), (52, 92, 160), (168, 172, 176), (72, 122, 84), (232, 186, 60),
    (226, 126, 60), (134, 180, 196),
)  # fmt: skip
GLASS, WHITE, TYRE, RIM = (70, 86, 104), (240, 240, 234), (34, 34, 38), (170, 172, 176)
TAIL_LIGHT, HEADLIGHT = (222, 40, 40), (255, 246, 214)
MODELS = ((4.0, 1.5), (3.6, 1.45), (4.4, 1.55), (4.6, 2.1))
"""Length and height in metres; the last one is a van."""


def car(scene: Scene, x: float, distance: float) -> None:
    """Draw a car along the street, seen from before or behind."""
    scene.canvas.begin(Thing.CAR)
    paint = scene.tinted(PAINTS)
    length, roof = scene.choose(MODELS)
    lit = 1.0 if (x > 0) == (scene.sun < 0) else 0.72
    _body(scene, x, distance, length, paint, lit)
    _cabin(scene, x, (distance + 0.35, distance + length - 0.9), roof, paint, lit)
    _face(scene, x, distance, paint)


def _body(scene: Scene, x: float, distance: float, length: float, paint: Color, lit: float) -> None:
    flank = x - math.copysign(0.9, x)  # the side that the camera sees
    _wheel(scene, flank, distance + length - 0.9)
    scene.fill(side(flank, 0.28, 0.85, distance, distance + length), paint, 0.9 * lit)
    _wheel(scene, flank, distance + 0.8)
    scene.fill(strip(x - 0.9, x + 0.9, distance, distance + length, height=0.85), paint, 1.15)


def _cabin(scene: Scene, x: float, ends: Point, roof: float, paint: Color, lit: float) -> None:
    near, far = ends
    flank = x - math.copysign(0.72, x)
    scene.fill(side(flank, 0.85, roof, near, far), paint, lit)
    scene.fill(side(flank, 0.92, roof - 0.12, near + 0.2, far - 0.2), GLASS, lit)
    scene.fill(strip(x - 0.72, x + 0.72, near, far, height=roof), paint, 1.2)
    scene.fill(_trapezoid(x, 0.84, 0.72, 0.85, roof, near), paint)
    scene.fill(_trapezoid(x, 0.74, 0.64, 0.92, roof - 0.1, near), GLASS, 1.1)


def _trapezoid(x: float, foot: float, head: float, bottom: float, top: float, distance: float) -> Points:
    return _outline([(-foot, bottom), (foot, bottom), (head, top), (-head, top)], x, distance)


def _outline(corners: Sequence[Point], x: float, distance: float) -> Points:
    return np.array([(x + right, up, distance) for right, up in corners])


def _wheel(scene: Scene, x: float, distance: float) -> None:
    angles = np.arange(12) * (math.pi / 6)
    scene.fill(
        np.stack((np.full(12, x), 0.34 + 0.34 * np.sin(angles), distance + 0.34 * np.cos(angles)), axis=-1), TYRE
    )


def _face(scene: Scene, x: float, distance: float, paint: Color) -> None:
    for left in (x - 0.82, x + 0.58):
        scene.fill(upright(left, left + 0.24, 0.0, 0.4, distance), TYRE)
    scene.fill(upright(x - 0.9, x + 0.9, 0.28, 0.86, distance), paint, 0.94)
    scene.fill(upright(x - 0.9, x + 0.9, 0.28, 0.4, distance), TYRE, 1.5)
    lights = TAIL_LIGHT if x > 0 else HEADLIGHT
    for left in (x - 0.84, x + 0.56):
        scene.fill(upright(left, left + 0.28, 0.6, 0.78, distance), lights, 1.2)
    scene.fill(upright(x - 0.26, x + 0.26, 0.45, 0.58, distance), WHITE)


def crossing_car(scene: Scene, x: float, distance: float) -> None:
    """Draw a car that crosses the street, seen from its side."""
    scene.canvas.begin(Thing.CAR)
    paint = scene.tinted(PAINTS)
    front = scene.sun * 0.3
    body = [(-2.1, 0.3), (2.1, 0.3), (2.1, 0.75), (1.9, 0.88), (-1.9, 0.88), (-2.1, 0.75)]
    scene.fill(_outline(body, x, distance), paint)
    cabin = [(-1.5, 0.86), (1.4, 0.86), (0.8 + front, 1.5), (-0.9 + front, 1.5)]
    scene.fill(_outline(cabin, x, distance), paint, 1.08)
    rear_window = [(-1.2, 0.9), (-0.08, 0.9), (-0.08, 1.4), (-0.8 + front, 1.4)]
    front_window = [(0.08, 0.9), (1.12, 0.9), (0.68 + front, 1.4), (0.08, 1.4)]
    for window in (rear_window, front_window):
        scene.fill(_outline(window, x, distance), GLASS)
    for middle in (x - 1.3, x + 1.3):
        scene.fill(disc((middle, 0.34), (0.36, 0.36), distance), TYRE)
        scene.fill(disc((middle, 0.34), (0.18, 0.18), distance), RIM)
