"""What stands on the street: trees, poles, signs, cars, people."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from atrous.data.street.canvas import Color, Points
from atrous.data.street.scene import Scene, Thing, circle, disc, side, standing_at, strip, upright

LEAVES = ((84, 136, 66), (104, 150, 72), (62, 112, 72), (132, 146, 70), (206, 132, 52), (190, 88, 60), (214, 172, 76))
BARK = ((92, 70, 54), (112, 92, 76), (74, 62, 56))
METALS = ((88, 92, 98), (128, 134, 138), (60, 78, 68), (52, 52, 58), (170, 172, 170), (112, 86, 66))
SIGN_COLORS = ((204, 42, 46), (38, 88, 172), (242, 198, 46), (238, 238, 232), (44, 128, 84))
PAINTS = (
    (196, 46, 44), (236, 236, 232), (44, 46, 52), (52, 92, 160), (168, 172, 176), (72, 122, 84), (232, 186, 60),
    (226, 126, 60), (134, 180, 196),
)  # fmt: skip
CLOTHES = (
    (200, 60, 60), (52, 84, 150), (236, 226, 206), (58, 62, 70), (226, 172, 60), (88, 140, 96), (150, 90, 140),
    (112, 112, 118), (110, 160, 190),
)  # fmt: skip
SKINS = ((246, 212, 184), (224, 178, 140), (176, 124, 88), (112, 76, 54))
HAIRS = ((40, 32, 30), (98, 66, 42), (206, 168, 98), (150, 150, 150))
WHITE, GLASS, TYRE = (240, 240, 234), (70, 86, 104), (34, 34, 38)


class Standing(NamedTuple):
    """Something that stands on the ground, at `x` metres to the right and `distance` metres ahead."""

    draw: Callable[[Scene, float, float], None]
    x: float
    distance: float
    width: float
    height: float

    def shadow(self, sun: float) -> Points:
        """Where its shadow lies, float [4, 3]."""
        left, right = self.x - self.width / 2, self.x + self.width / 2
        reach = -sun * 0.7 * self.height
        near, far = self.distance - 0.1, self.distance + 0.25 * self.height + 0.1
        return np.array([(left, 0, near), (right, 0, near), (right + reach, 0, far), (left + reach, 0, far)])


def tree(scene: Scene, x: float, distance: float) -> None:
    """Draw a tree: round, pointed, or slender."""
    scene.canvas.begin(Thing.TREE)
    size = scene.rng.uniform(0.8, 1.3)
    scene.fill(upright(x - 0.16 * size, x + 0.16 * size, 0, 2.4 * size, distance), scene.choose(BARK))
    color = scene.tinted(LEAVES)
    scene.choose((_round_crown, _round_crown, _fir, _poplar))(scene, (x, size), distance, color)


def _round_crown(scene: Scene, place: tuple[float, float], distance: float, color: Color) -> None:
    x, size = place
    centers = scene.rng.normal((x, 3.6 * size), (0.75 * size, 0.6 * size), (9, 2))
    _leaves(scene, centers, 0.85 * size, distance, color)


def _poplar(scene: Scene, place: tuple[float, float], distance: float, color: Color) -> None:
    x, size = place
    centers = np.stack((x + scene.rng.normal(0, 0.16 * size, 9), np.linspace(1.8, 6.0, 9) * size), axis=-1)
    _leaves(scene, centers, 0.62 * size, distance, color)


def _leaves(scene: Scene, centers: Points, radius: float, distance: float, color: Color) -> None:
    around = standing_at(distance, centers[:, None] + radius * circle(16))
    scene.fill(around, color, 0.72)
    light = np.array((0.22 * scene.sun, 0.24, 0)) * radius
    middle = around.mean(axis=1, keepdims=True)
    scene.fill(middle + (around - middle) * 0.72 + light, color, 0.95)
    scene.fill((middle + (around - middle) * 0.34 + 2 * light)[::2], color, 1.18)


def _fir(scene: Scene, place: tuple[float, float], distance: float, color: Color) -> None:
    x, size = place
    for storey, half in enumerate((1.5, 1.2, 0.85)):
        foot = (1.0 + 1.35 * storey) * size
        left, right, top = x - half * size, x + half * size, foot + 2.3 * size
        scene.fill(np.array([(left, foot, distance), (right, foot, distance), (x, top, distance)]), color, 0.72)
        lit = (left if scene.sun < 0 else right, foot, distance)
        scene.fill(np.array([(x, foot, distance), lit, (x, top, distance)]), color, 1.0)


def pole(scene: Scene, x: float, distance: float) -> None:
    """Draw a thin pole: a street lamp, or a post with wires cut off by the picture."""
    scene.canvas.begin(Thing.POLE)
    metal = scene.tinted(METALS)
    top = scene.rng.uniform(4.5, 7)
    post(scene, x, distance, top, metal)
    if scene.chance(0.7):
        _lamp(scene, x, distance, top, metal)


def post(scene: Scene, x: float, distance: float, top: float, metal: Color) -> None:
    """Stand a post on the ground, wide enough to be seen, brighter on the side of the sun."""
    half = scene.at_least(0.14, 3.4, distance) / 2
    scene.fill(upright(x - half, x + half, 0, top, distance), metal)
    left, right = sorted((x + 0.2 * half * scene.sun, x + 0.8 * half * scene.sun))
    scene.fill(upright(left, right, 0, top, distance), metal, 1.25)


def _lamp(scene: Scene, x: float, distance: float, top: float, metal: Color) -> None:
    thickness = scene.at_least(0.14, 3.4, distance)
    towards = -math.copysign(1.6, x)
    left, right = sorted((x, x + towards))
    scene.fill(upright(left, right, top - thickness, top, distance), metal)
    scene.fill(disc((x + towards, top - thickness), (0.45, 0.28), distance), metal, 0.9)
    scene.fill(disc((x + towards, top - 1.3 * thickness), (0.32, 0.16), distance), (255, 244, 200), 1.1)


def sign(scene: Scene, x: float, distance: float) -> None:
    """Draw a traffic sign on its post."""
    radius = scene.at_least(scene.rng.uniform(0.42, 0.6), 5.0, distance)
    middle = scene.rng.uniform(2.2, 2.9)
    scene.canvas.begin(Thing.POLE)
    post(scene, x, distance, middle, scene.tinted(METALS))
    scene.canvas.begin(Thing.SIGN)
    face, inside = scene.rng.choice(len(SIGN_COLORS), 2, replace=False)
    corners = scene.choose((3, 4, 4, 8, 24, 24))
    board = _regular(corners, (x, middle), radius * (1.25 if corners < 5 else 1.0), distance)
    scene.fill(board, SIGN_COLORS[face])
    scene.fill((board - board.mean(0)) * 0.66 + board.mean(0), SIGN_COLORS[inside])
    if scene.chance(0.6):
        scene.fill(upright(x - 0.4 * radius, x + 0.4 * radius, middle - 0.12, middle + 0.12, distance), TYRE)


def _regular(corners: int, center: tuple[float, float], radius: float, distance: float) -> Points:
    turn = {3: math.pi / 2, 4: math.pi / 4, 8: math.pi / 8}.get(corners, 0.0)
    angles = turn + np.arange(corners) * (2 * math.pi / corners)
    return standing_at(distance, center + radius * np.stack((np.cos(angles), np.sin(angles)), axis=-1))


def person(scene: Scene, x: float, distance: float) -> None:
    """Draw somebody who walks, in some clothes."""
    scene.canvas.begin(Thing.PERSON)
    tall = scene.rng.uniform(0.85, 1.1)
    stride = scene.rng.uniform(0.06, 0.26)
    coat, trousers, skin = scene.tinted(CLOTHES), scene.tinted(CLOTHES), scene.choose(SKINS)
    scene.fill(_figure(_legs(stride), x, tall, distance), trousers)
    scene.fill(_figure(_arms(stride), x, tall, distance), coat, 0.85)
    scene.fill(_figure(_TORSO, x, tall, distance), coat)
    scene.fill(disc((x, 1.6 * tall), (0.15, 0.18), distance), scene.choose(HAIRS))
    turned = scene.rng.uniform(-0.04, 0.04)
    scene.fill(disc((x + turned, 1.56 * tall), (0.12, 0.14), distance), skin)


_TORSO = np.array([(-0.2, 0.75), (0.2, 0.75), (0.25, 1.2), (0.2, 1.42), (-0.2, 1.42), (-0.25, 1.2)])


def _legs(stride: float) -> Points:
    left = [(-0.17 - stride, 0), (0.0 - stride, 0), (0.02, 0.85), (-0.2, 0.85)]
    right = [(0.0 + stride, 0), (0.17 + stride, 0), (0.2, 0.85), (-0.02, 0.85)]
    return np.array([left, right])


def _arms(stride: float) -> Points:
    left = [(-0.34 - stride / 2, 0.72), (-0.22 - stride / 2, 0.72), (-0.12, 1.38), (-0.26, 1.38)]
    right = [(0.22 + stride / 2, 0.72), (0.34 + stride / 2, 0.72), (0.26, 1.38), (0.12, 1.38)]
    return np.array([left, right])


def _figure(outline: Points, x: float, tall: float, distance: float) -> Points:
    return standing_at(distance, outline * (1, tall) + (x, 0))


def car(scene: Scene, x: float, distance: float) -> None:
    """Draw a car along the street, seen from before or behind."""
    scene.canvas.begin(Thing.CAR)
    paint = scene.tinted(PAINTS)
    length, roof = scene.choose(((4.0, 1.5), (3.6, 1.45), (4.4, 1.55), (4.6, 2.1)))
    far = distance + length
    flank = x - math.copysign(0.9, x)  # the side that the camera sees
    glass_flank = x - math.copysign(0.72, x)
    lit = 1.0 if (x > 0) == (scene.sun < 0) else 0.72
    _wheel(scene, flank, distance + length - 0.9)
    scene.fill(side(flank, 0.28, 0.85, distance, far), paint, lit * 0.9)
    _wheel(scene, flank, distance + 0.8)
    scene.fill(strip(x - 0.9, x + 0.9, distance, far, height=0.85), paint, 1.15)
    cabin_near, cabin_far = distance + 0.35, far - 0.9
    scene.fill(side(glass_flank, 0.85, roof, cabin_near, cabin_far), paint, lit)
    scene.fill(side(glass_flank, 0.92, roof - 0.12, cabin_near + 0.2, cabin_far - 0.2), GLASS, lit)
    scene.fill(strip(x - 0.72, x + 0.72, cabin_near, cabin_far, height=roof), paint, 1.2)
    scene.fill(_trapezoid(x, 0.84, 0.72, 0.85, roof, cabin_near), paint)
    scene.fill(_trapezoid(x, 0.74, 0.64, 0.92, roof - 0.1, cabin_near), GLASS, 1.1)
    _back(scene, x, distance, paint)


def _trapezoid(x: float, foot: float, head: float, bottom: float, top: float, distance: float) -> Points:
    outline = [(x - foot, bottom), (x + foot, bottom), (x + head, top), (x - head, top)]
    return np.array([(*corner, distance) for corner in outline])


def _wheel(scene: Scene, x: float, distance: float) -> None:
    angles = np.arange(12) * (math.pi / 6)
    scene.fill(
        np.stack((np.full(12, x), 0.34 + 0.34 * np.sin(angles), distance + 0.34 * np.cos(angles)), axis=-1), TYRE
    )


def _back(scene: Scene, x: float, distance: float, paint: Color) -> None:
    for left in (x - 0.82, x + 0.58):
        scene.fill(upright(left, left + 0.24, 0.0, 0.4, distance), TYRE)
    scene.fill(upright(x - 0.9, x + 0.9, 0.28, 0.86, distance), paint, 0.94)
    scene.fill(upright(x - 0.9, x + 0.9, 0.28, 0.4, distance), TYRE, 1.5)
    lights = (222, 40, 40) if x > 0 else (255, 246, 214)
    for left in (x - 0.84, x + 0.56):
        scene.fill(upright(left, left + 0.28, 0.6, 0.78, distance), lights, 1.2)
    scene.fill(upright(x - 0.26, x + 0.26, 0.45, 0.58, distance), WHITE)


def crossing_car(scene: Scene, x: float, distance: float) -> None:
    """Draw a car that crosses the street, seen from its side."""
    scene.canvas.begin(Thing.CAR)
    paint = scene.tinted(PAINTS)
    front = scene.sun * 0.3
    body = [(-2.1, 0.3), (2.1, 0.3), (2.1, 0.75), (1.9, 0.88), (-1.9, 0.88), (-2.1, 0.75)]
    scene.fill(np.array([(x + dx, y, distance) for dx, y in body]), paint)
    cabin = [(-1.5, 0.86), (1.4, 0.86), (0.8 + front, 1.5), (-0.9 + front, 1.5)]
    scene.fill(np.array([(x + dx, y, distance) for dx, y in cabin]), paint, 1.08)
    for inside in (
        [(-1.2, 0.9), (-0.08, 0.9), (-0.08, 1.4), (-0.8 + front, 1.4)],
        [(0.08, 0.9), (1.12, 0.9), (0.68 + front, 1.4), (0.08, 1.4)],
    ):
        scene.fill(np.array([(x + dx, y, distance) for dx, y in inside]), GLASS)
    for middle in (x - 1.3, x + 1.3):
        scene.fill(disc((middle, 0.34), (0.36, 0.36), distance), TYRE)
        scene.fill(disc((middle, 0.34), (0.18, 0.18), distance), (170, 172, 176))
