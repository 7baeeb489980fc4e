"""Houses along the street: walls, roofs, windows, doors, awnings."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from atrous.data.street.canvas import Color, Points
from atrous.data.street.scene import Scene, Thing, side, upright

WALLS = (
    (232, 212, 170), (186, 92, 72), (210, 134, 98), (168, 192, 172), (150, 180, 204),
    (216, 212, 206), (150, 146, 142), (224, 180, 100), (228, 174, 168), (112, 116, 124), (132, 156, 110),
)  # fmt: skip
ROOFS = ((156, 76, 58), (86, 88, 98), (116, 86, 70), (70, 84, 86), (104, 132, 96))
GLASS = ((88, 108, 128), (64, 78, 92), (130, 156, 176))
LAMPLIGHT = (255, 216, 130)
DOORS = ((96, 60, 44), (56, 84, 74), (140, 44, 44), (60, 66, 92))
AWNINGS = ((196, 62, 58), (66, 116, 92), (66, 96, 150), (226, 172, 70))
FRAME = (240, 238, 230)
STOREY = 3.0


class House(NamedTuple):
    """Where a house stands: its wall along the street at `wall`, from `near` to `far`, all in metres."""

    wall: float
    near: float
    far: float
    depth: float
    height: float
    gable: float
    """How much higher than the walls the ridge is; 0 for a flat roof."""

    @property
    def back(self) -> float:
        """Where the wall away from the street stands."""
        return self.wall + math.copysign(self.depth, self.wall)

    def shadow(self, sun: float) -> Points:
        """What lies in the shadow of the wall, float [4, 3]."""
        reach = -sun * 0.55 * self.height
        return np.array(
            [
                (self.wall, 0, self.near),
                (self.wall + reach, 0, self.near + 1.5),
                (self.wall + reach, 0, self.far + 1.5),
                (self.wall, 0, self.far),
            ]
        )


def row_of_houses(scene: Scene, wall: float) -> list[House]:
    """Plan the houses on one side of the street, from near to far, with gaps."""
    houses, near = [], scene.rng.uniform(2.5, 9)
    while near < 60:
        length = scene.rng.uniform(6, 13)
        height = STOREY * scene.rng.integers(1, 5) + scene.rng.uniform(0.6, 1.4)
        gable = scene.rng.uniform(1.5, 3.5) if scene.chance(0.6) else 0.0
        houses.append(House(wall, near, near + length, scene.rng.uniform(7, 11), height, gable))
        near += length + (scene.rng.uniform(3, 12) if scene.chance(0.35) else 0.0)
    return houses


def draw_house(scene: Scene, house: House) -> None:
    """Draw a house: the roof, the wall along the street, and the one that faces the camera."""
    scene.canvas.begin(Thing.BUILDING)
    paint = scene.tinted(WALLS)
    towards_sun = np.sign(house.wall) != scene.sun
    _roof(scene, house, 1.0 if towards_sun else 0.8)
    scene.fill(_gable(house), paint, shade=0.9)
    scene.fill(side(house.wall, 0, house.height, house.near, house.far), paint, shade=1.06 if towards_sun else 0.74)
    if house.near < 32:  # farther ones are less than a pixel wide
        _windows(scene, house, scene.choose(GLASS), framed=scene.chance(0.7))
        _ground_floor(scene, house)


def _gable(house: House) -> Points:
    middle = (house.wall + house.back) / 2
    outline = [(house.wall, 0), (house.back, 0), (house.back, house.height)]
    outline += [(middle, house.height + house.gable), (house.wall, house.height)]
    return np.array([(x, y, house.near) for x, y in outline])


def _roof(scene: Scene, house: House, shade: float) -> None:
    color = scene.tinted(ROOFS)
    middle = (house.wall + house.back) / 2
    eave = house.wall - 0.3 * np.sign(house.wall)
    ridge = house.height + house.gable
    slope = [(eave, house.height - 0.1, house.near - 0.2), (eave, house.height - 0.1, house.far)]
    slope += [(middle, ridge, house.far), (middle, ridge, house.near - 0.2)]
    if house.gable:
        scene.fill(np.array(slope), color, shade)
    else:  # a cornice
        scene.fill(side(eave, house.height - 0.3, house.height + 0.3, house.near - 0.2, house.far), color, shade)
        left, right = sorted((eave, house.back))
        scene.fill(upright(left, right, house.height - 0.3, house.height + 0.3, house.near - 0.2), color, 0.9)


def _windows(scene: Scene, house: House, glass: Color, framed: bool) -> None:
    storeys = int(house.height // STOREY)
    floors = np.arange(storeys) * STOREY + 1.1
    along = _spread(house.near, house.far, 2.4)
    across = _spread(min(house.wall, house.back), max(house.wall, house.back), 2.4)
    panes = [side(house.wall, floor, floor + 1.5, start, start + 1.2) for floor in floors for start in along]
    panes += [upright(start, start + 1.2, floor, floor + 1.5, house.near) for floor in floors for start in across]
    windows = np.stack(panes)
    if framed:
        middles = windows.mean(axis=1, keepdims=True)
        scene.fill(middles + (windows - middles) * 1.3, FRAME, 0.92)
    lit = scene.rng.random(len(windows)) < scene.weather.lit_windows
    if not lit.all():
        scene.fill(windows[~lit], glass)
    if lit.any():
        light = 1 / max(scene.weather.light)  # a lamp is as bright by night as by day
        scene.fill(windows[lit], LAMPLIGHT, light)


def _spread(start: float, end: float, spacing: float) -> Points:
    count = max(int((end - start) / spacing), 1)
    free = (end - start) / count
    return np.array([start + free * (index + 0.5) - 0.6 for index in range(count)])


def _ground_floor(scene: Scene, house: House) -> None:
    middle = (house.near + house.far) / 2
    scene.fill(side(house.wall, 0, 2.2, middle - 0.55, middle + 0.55), scene.choose(DOORS))
    if scene.chance(0.35):
        _awning(scene, house)


def _awning(scene: Scene, house: House) -> None:
    out = house.wall - 1.1 * np.sign(house.wall)
    edges = np.linspace(house.near + 0.4, house.far - 0.4, 9)
    color = scene.choose(AWNINGS)
    for index, (near, far) in enumerate(pairwise(edges)):
        cloth = [(house.wall, 2.9, near), (house.wall, 2.9, far), (out, 2.3, far), (out, 2.3, near)]
        scene.fill(np.array(cloth), FRAME if index % 2 else color)
