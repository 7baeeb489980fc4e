"""Where everything stands, and what the camera makes of it."""

from operator import attrgetter

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from atrous.data.street.buildings import House, draw_house, row_of_houses
from atrous.data.street.canvas import SUPERSAMPLING
from atrous.data.street.ground import Street, ground, hills, light_ground, sky
from atrous.data.street.scene import Scene, Thing
from atrous.data.street.standing import Standing, car, crossing_car, person, pole, sign, tree

# How strongly a material's light flickers: from pixel to pixel, from leaf to leaf, in stripes, from patch to patch.
GRAINS = ((1, 1), (2.5, 2.5), (1.5, 6), (20, 30))  # (height, width) in pixels of a picture 120 pixels high
SMOOTH = (0.0, 0.0, 0.0, 0.03)
TEXTURES = {
    Thing.BUILDING: (0.03, 0.02, 0.0, 0.03),
    Thing.ROAD: (0.05, 0.0, 0.02, 0.03),
    Thing.PAVEMENT: (0.03, 0.0, 0.03, 0.03),
    Thing.GRASS: (0.09, 0.03, 0.09, 0.06),
    Thing.TREE: (0.07, 0.12, 0.0, 0.03),
}
LYING = (Thing.ROAD, Thing.PAVEMENT, Thing.GRASS)


def draw_town(rng: Generator, size: tuple[int, int]) -> Scene:
    """Plan a street and paint it, from the sky to the nearest lamp post."""
    scene = Scene(rng, size)
    street = _plan_street(scene)
    houses = [*_houses(scene, street)]
    standing: list[Standing] = [*_cars(scene, street), *_on_pavements(scene, street), *_trees(scene, street)]
    sky(scene)
    hills(scene)
    ground(scene, street)
    shadows = [house.shadow(scene.sun) for house in houses] + [thing.shadow(scene.sun) for thing in standing]
    light_ground(scene, shadows)
    for house in sorted(houses, key=attrgetter("near"), reverse=True):
        draw_house(scene, house)
    for thing in sorted(standing, key=attrgetter("distance"), reverse=True):
        thing.draw(scene, thing.x, thing.distance)
    return scene


def photograph(scene: Scene) -> NDArray[np.uint8]:
    """Take the picture: texture of the materials, blur of the lens, noise of the sensor.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    picture = scene.canvas.reduced()
    picture *= 1 + _texture(scene)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), scene.rng.uniform(0.3, 0.7) * len(picture) / 120)
    picture += scene.rng.uniform(1.5, 5) * scene.rng.standard_normal(picture.shape, np.float32)
    photograph: NDArray[np.uint8] = picture.clip(0, 255).round().astype(np.uint8)
    return photograph


def _texture(scene: Scene) -> NDArray[np.float32]:
    classes = scene.canvas.classes()
    strengths = np.array([TEXTURES.get(thing, SMOOTH) for thing in Thing], np.float32)
    texture = np.zeros(classes.shape, np.float32)
    for index, grain in enumerate(GRAINS):
        texture += strengths[classes, index] * _flicker(scene.rng, classes.shape, grain)
    lies = np.array([thing in LYING for thing in Thing])[classes]
    return texture * np.where(lies, scene.clearness_of_rows()[::SUPERSAMPLING, None], np.float32(1))


def _flicker(rng: Generator, size: tuple[int, int], cell: tuple[float, float]) -> NDArray[np.float32]:
    height, width = size
    pixels = max(height / 120, 1.0)
    grid = (max(round(height / (cell[0] * pixels)), 2), max(round(width / (cell[1] * pixels)), 2))
    flicker: NDArray[np.float32] = cv2.resize(
        rng.standard_normal(grid, np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    return flicker


def _plan_street(scene: Scene) -> Street:
    lane, pavement = scene.rng.uniform(2.6, 3.6), scene.rng.uniform(1.6, 3)
    middle = scene.rng.uniform(-2.2, 1.2)
    lawns = [scene.rng.uniform(0, 4) if scene.chance(0.6) else 0.0 for _ in range(2)]
    return Street(
        left_walls=middle - lane - pavement - lawns[0],
        left_kerb=middle - lane,
        right_kerb=middle + lane,
        right_walls=middle + lane + pavement + lawns[1],
        pavement=pavement,
    )


def _houses(scene: Scene, street: Street) -> list[House]:
    rows = [row_of_houses(scene, wall) for wall in (street.left_walls, street.right_walls) if scene.chance(0.85)]
    return [house for row in rows for house in row]


def _cars(scene: Scene, street: Street) -> list[Standing]:
    cars = []
    for side in (-0.5, 0.5):
        distance = scene.rng.uniform(6, 20)
        while distance < 45 and scene.chance(0.75):
            x = street.middle + street.lane * side + scene.rng.uniform(-0.3, 0.3)
            cars.append(Standing(car, x, distance, 1.9, 1.5))
            distance += scene.rng.uniform(6, 18)
    if scene.chance(0.3):
        cars.append(Standing(crossing_car, scene.rng.uniform(-4, 4), scene.rng.uniform(9, 20), 4.2, 1.4))
    return cars


def _on_pavements(scene: Scene, street: Street) -> list[Standing]:
    rng = scene.rng
    standing = [Standing(person, rng.uniform(street.left_kerb, street.right_kerb), rng.uniform(6, 14), 0.5, 1.7)]
    standing = standing if scene.chance(0.4) else []
    for kerb, outward in ((street.left_kerb, -1), (street.right_kerb, 1)):
        first = rng.uniform(6, 16)
        poles, signs, people = rng.integers(0, (3, 3, 4))
        standing += [Standing(pole, kerb + 0.4 * outward, first + 9 * index, 0.3, 6) for index in range(poles)]
        standing += [
            Standing(sign, kerb + outward * rng.uniform(0.4, 1.0), rng.uniform(6, 15), 0.6, 3) for _ in range(signs)
        ]
        standing += [
            Standing(person, kerb + outward * rng.uniform(0.4, street.pavement - 0.2), rng.uniform(5, 16), 0.5, 1.7)
            for _ in range(people)
        ]
    return standing


def _trees(scene: Scene, street: Street) -> list[Standing]:
    trees = []
    for walls, outward in ((street.left_walls, -1), (street.right_walls, 1)):
        for _ in range(scene.rng.integers(0, 5)):
            x = walls + outward * scene.rng.uniform(-1.2, 0.3)
            trees.append(Standing(tree, x, scene.rng.uniform(7, 40), 2.2, 5))
    return trees
