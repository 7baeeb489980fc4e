"""The plan of a town: where everything stands, and in which order it is painted."""

from operator import attrgetter

from numpy.random import Generator

from atrous.data.street.buildings import House, draw_house, row_of_houses
from atrous.data.street.cars import car, crossing_car
from atrous.data.street.ground import Street, ground, hills, light_ground, sky
from atrous.data.street.scene import Scene
from atrous.data.street.standing import Standing, person, pole, sign, tree


def draw_town(rng: Generator, size: tuple[int, int]) -> Scene:
    """Plan a street and paint it, from the sky to the nearest lamp post."""
    scene = Scene(rng, size)
    street = _plan_street(scene)
    houses = _houses(scene, street)
    standing = [thing for plan in PLANS for thing in plan(scene, street)]
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


def _plan_street(scene: Scene) -> Street:
    lane, pavement = scene.rng.uniform(2.6, 3.4), scene.rng.uniform(1.8, 3)
    middle = scene.rng.uniform(-2.2, 1.2)
    lawns = [scene.rng.uniform(2, 5) if scene.chance(0.6) else 0.0 for _ in range(2)]
    return Street(
        left_walls=middle - lane - pavement - lawns[0],
        left_kerb=middle - lane,
        right_kerb=middle + lane,
        right_walls=middle + lane + pavement + lawns[1],
        pavement=pavement,
    )


def _houses(scene: Scene, street: Street) -> list[House]:
    rows = [row_of_houses(scene, wall) for wall in (street.left_walls, street.right_walls) if scene.chance(0.8)]
    return [house for row in rows for house in row]


def _cars(scene: Scene, street: Street) -> list[Standing]:
    cars = []
    for side in (-0.5, 0.5):
        distance = scene.rng.uniform(6, 16)
        while distance < 30 and scene.chance(0.75):
            x = street.middle + street.lane * side + scene.rng.uniform(-0.3, 0.3)
            cars.append(Standing(car, x, distance, 1.9, 1.5))
            distance += scene.rng.uniform(7, 18)
    if scene.chance(0.3):
        cars.append(Standing(crossing_car, scene.rng.uniform(-4, 4), scene.rng.uniform(8, 16), 4.2, 1.4))
    return cars


def _on_pavements(scene: Scene, street: Street) -> list[Standing]:
    standing = []
    for kerb, outward in ((street.left_kerb, -1), (street.right_kerb, 1)):
        poles, people = scene.rng.integers(0, 3, 2)
        nearest = scene.rng.uniform(6, 12)
        standing += [Standing(pole, kerb + 0.3 * outward, nearest + 9 * index, 0.3, 6) for index in range(poles)]
        if scene.chance(0.5):
            x, distance = scene.rng.uniform((0.3, 6), (0.8, 12))
            standing.append(Standing(sign, kerb + x * outward, distance, 0.6, 3))
        for _ in range(people):
            x, distance = scene.rng.uniform((0.5, 4.5), (street.pavement - 0.3, 8.5))
            standing.append(Standing(person, kerb + x * outward, distance, 0.5, 1.7))
    return standing


def _on_the_road(scene: Scene, street: Street) -> list[Standing]:
    if scene.chance(0.6):
        return []
    x, distance = scene.rng.uniform((street.left_kerb + 0.5, 4.5), (street.right_kerb - 0.5, 8.5))
    return [Standing(person, x, distance, 0.5, 1.7)]


def _trees(scene: Scene, street: Street) -> list[Standing]:
    trees = []
    for walls, outward in ((street.left_walls, -1), (street.right_walls, 1)):
        for _ in range(scene.rng.integers(0, 4)):
            x = walls + outward * scene.rng.uniform(-1.2, 0.3)
            trees.append(Standing(tree, x, scene.rng.uniform(7, 26), 2.2, 5))
    return trees


PLANS = (_cars, _on_the_road, _on_pavements, _trees)
