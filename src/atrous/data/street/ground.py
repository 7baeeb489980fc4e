"""Sky, hills and all that lies flat: road, pavements, grass, and the shadows on them."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from atrous.data.street.canvas import Points
from atrous.data.street.scene import FAR, NEAR, Scene, Thing, circle, disc, strip

LAWNS = ((112, 156, 74), (136, 162, 84), (96, 136, 70), (172, 160, 96), (152, 132, 92))
FLOWERS = ((240, 220, 90), (244, 240, 236), (226, 120, 140), (170, 120, 200))
ASPHALTS = ((104, 106, 112), (88, 90, 96), (124, 120, 116), (140, 128, 120))
SLABS = ((176, 170, 162), (190, 178, 160), (152, 150, 150), (170, 140, 124))
PAINT = (238, 238, 230)


class Street(NamedTuple):
    """The cross-section of a street, metres to the right of the camera, from left to right."""

    left_walls: float
    left_kerb: float
    right_kerb: float
    right_walls: float
    pavement: float
    """How wide both pavements are; between them and the walls lies grass."""

    @property
    def middle(self) -> float:
        """Where the two lanes meet."""
        return (self.left_kerb + self.right_kerb) / 2

    @property
    def lane(self) -> float:
        """How wide a lane is."""
        return (self.right_kerb - self.left_kerb) / 2


def sky(scene: Scene) -> None:
    """Fill the canvas with a sky that brightens towards the horizon, with clouds or without."""
    height, width = scene.canvas.size
    scene.canvas.begin(Thing.SKY)
    depth = np.clip(np.arange(height) / scene.camera.vanishing_point[1], 0, 1)[:, None] ** 1.3
    zenith, horizon = (np.array(color) * scene.exposure for color in (scene.weather.zenith, scene.weather.horizon))
    scene.canvas.fill_rows(zenith + (horizon - zenith) * depth)
    for _ in range(scene.rng.integers(0, 5)):
        _cloud(scene, scene.rng.uniform((0, 0.02), (width, 0.75)) * (1, scene.camera.vanishing_point[1]))


def _cloud(scene: Scene, center: Points) -> None:
    size = scene.canvas.size[0] * scene.rng.uniform(0.025, 0.06)
    puffs = scene.rng.uniform((-2.4, -0.5), (2.4, 0.5), (7, 2)) * size + center
    color = np.array(scene.weather.clouds) * scene.exposure
    for shade, drop in ((0.93, 0.35), (1.0, 0.0)):
        red, green, blue = (color * shade).clip(0, 255)
        ellipse = circle(16) * (1.5 * size, 0.75 * size) + (0, drop * size)
        scene.canvas.fill(puffs[:, None] + ellipse, (red, green, blue))


def hills(scene: Scene) -> None:
    """Raise some hills behind the street."""
    scene.canvas.begin(Thing.GRASS)
    color = scene.tinted(LAWNS)
    for _ in range(scene.rng.integers(0, 4)):
        distance = scene.rng.uniform(70, 150)
        center = (scene.rng.uniform(-0.8, 0.8) * distance, scene.camera.height)
        radii = scene.rng.uniform((0.3, 0.05), (0.6, 0.12)) * distance
        scene.fill(disc(center, (radii[0], radii[1]), distance, corners=32), color)


def ground(scene: Scene, street: Street) -> None:
    """Lay the meadow, the pavements and the road."""
    scene.canvas.begin(Thing.GRASS)
    scene.lay(strip(-4 * FAR, 4 * FAR, NEAR, FAR), scene.tinted(LAWNS))
    spots = scene.rng.uniform((-14, 3), (14, 16), (60, 2))
    for color in (scene.choose(FLOWERS), scene.choose(FLOWERS)):
        spots, some = spots[30:], spots[:30]
        scene.lay(_spots(some, scene.rng.uniform(0.03, 0.07)), color)
    _pavements(scene, street)
    _road(scene, street)


def _spots(centers: Points, radius: float) -> Points:
    corners = np.array([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)]) * radius
    return np.insert(centers, 1, 0, axis=1)[:, None] + corners


def _pavements(scene: Scene, street: Street) -> None:
    color = scene.tinted(SLABS)
    for inner, outer in (
        (street.left_kerb, street.left_kerb - street.pavement),
        (street.right_kerb, street.right_kerb + street.pavement),
    ):
        scene.canvas.begin(Thing.PAVEMENT)
        scene.lay(strip(inner, outer, NEAR, FAR), color)
        joints = np.stack([strip(inner, outer, distance, distance + 0.08) for distance in np.arange(2, 24, 1.2)])
        scene.lay(joints, color, shade=0.82)
        scene.lay(strip((inner + outer) / 2 - 0.03, (inner + outer) / 2 + 0.03, NEAR, FAR), color, shade=0.85)
        scene.lay(strip(inner, inner + 0.15 * np.sign(outer - inner), NEAR, FAR), color, shade=1.18)


def _road(scene: Scene, street: Street) -> None:
    color = scene.tinted(ASPHALTS)
    scene.canvas.begin(Thing.ROAD)
    scene.lay(strip(street.left_kerb, street.right_kerb, NEAR, FAR), color)
    for _ in range(scene.rng.integers(0, 3)):  # mended places
        left, near = scene.rng.uniform((street.left_kerb + 0.3, 3), (street.right_kerb - 1.8, 14))
        scene.lay(strip(left, left + 1.5, near, near + scene.rng.uniform(1, 4)), color, shade=0.86)
    start = scene.rng.uniform(0, 4)
    dashes = [strip(street.middle - 0.08, street.middle + 0.08, near, near + 2) for near in np.arange(2, 80, 4) + start]
    scene.lay(np.stack(dashes), PAINT)
    if scene.chance(0.3):
        _crossing(scene, street, scene.rng.uniform(6, 12))
    if scene.chance(0.4):
        for edge in (street.left_kerb + 0.3, street.right_kerb - 0.3):
            scene.lay(strip(edge - 0.07, edge + 0.07, NEAR, FAR), PAINT, shade=0.95)


def _crossing(scene: Scene, street: Street, near: float) -> None:
    edges = np.arange(street.left_kerb + 0.5, street.right_kerb - 0.6, 1.1)
    scene.lay(np.stack([strip(edge, edge + 0.55, near, near + 3) for edge in edges]), PAINT)


def light_ground(scene: Scene, shadows: Sequence[Points]) -> None:
    """Cast shadows, float [N, 3] in metres each, on all that lies flat, and let it fade into the haze."""
    horizon = int(np.ceil(scene.camera.vanishing_point[1]))
    light = np.full(scene.canvas.size, 255, np.uint8)
    for shadow in shadows:
        corners = scene.camera.project(shadow).clip(-4e4, 4e4).round().astype(np.int32)
        cv2.fillConvexPoly(light, corners, 255 * (1 - scene.weather.shadow))
    left = scene.clearness_of_rows()[horizon:, None]
    haze = np.array(scene.weather.horizon, np.float32) * min(1.0, scene.exposure)
    scene.canvas.light_rows(horizon, cv2.blur(light, (5, 3))[horizon:] * (left / 255), haze * (1 - left))
