"""What stands beside the street: trees, poles, signs, people."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from atrous.data.street.canvas import Color, Points
from atrous.data.street.scene import Scene, Thing, circle, disc, standing_at, upright

LEAVES = ((84, 136, 66), (104, 150, 72), (62, 112, 72), (132, 146, 70), (206, 132, 52), (190, 88, 60), (214, 172, 76))
BARK = ((92, 70, 54), (112, 92, 76), (74, 62, 56))
METALS = ((88, 92, 98), (128, 134, 138), (60, 78, 68), (52, 52, 58), (170, 172, 170), (112, 86, 66))
SIGN_COLORS = ((204, 42, 46), (38, 88, 172), (242, 198, 46), (238, 238, 232), (44, 128, 84))
CLOTHES = (
    (200, 60, 60), (52, 84, 150), (236, 226, 206), (58, 62, 70), (226, 172, 60), (88, 140, 96), (150, 90, 140),
    (112, 112, 118), (110, 160, 190),
)  # fmt: skip
SKINS = ((246, 212, 184), (224, 178, 140), (176, 124, 88), (112, 76, 54))
HAIRS = ((40, 32, 30), (98, 66, 42), (206, 168, 98), (150, 150, 150))
LAMP, INK = (255, 244, 200), (34, 34, 38)


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
    centers = scene.rng.uniform((x - 1.2 * size, 2.7 * size), (x + 1.2 * size, 4.5 * size), (9, 2))
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
    half = scene.at_least(0.14, 4.5, distance) / 2
    scene.fill(upright(x - half, x + half, 0, top, distance), metal)
    left, right = sorted((x + 0.2 * half * scene.sun, x + 0.8 * half * scene.sun))
    scene.fill(upright(left, right, 0, top, distance), metal, 1.25)


def _lamp(scene: Scene, x: float, distance: float, top: float, metal: Color) -> None:
    thickness = scene.at_least(0.14, 4.5, distance)
    towards = -math.copysign(1.6, x)
    left, right = sorted((x, x + towards))
    scene.fill(upright(left, right, top - thickness, top, distance), metal)
    scene.fill(disc((x + towards, top - thickness), (0.45, 0.28), distance), metal, 0.9)
    scene.fill(disc((x + towards, top - 1.3 * thickness), (0.32, 0.16), distance), LAMP, 1.1)


def sign(scene: Scene, x: float, distance: float) -> None:
    """Draw a traffic sign on its post."""
    radius = scene.at_least(scene.rng.uniform(0.42, 0.6), 6.5, distance)
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
        scene.fill(upright(x - 0.4 * radius, x + 0.4 * radius, middle - 0.12, middle + 0.12, distance), INK)


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
    scene.fill(disc((x, 1.6 * tall), (0.18, 0.2), distance), scene.choose(HAIRS))
    turned = scene.rng.uniform(-0.04, 0.04)
    scene.fill(disc((x + turned, 1.56 * tall), (0.14, 0.15), distance), skin)


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
    return standing_at(distance, outline * (1.25, tall) + (x, 0))
