"""What the camera makes of a scene: texture, blur and noise."""

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from atrous.data.street.canvas import SUPERSAMPLING
from atrous.data.street.scene import Scene, Thing

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


def photograph(scene: Scene) -> NDArray[np.uint8]:
    """Take the picture: texture of the materials, blur of the lens, noise of the sensor.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    picture = scene.canvas.reduced()
    picture *= cv2.merge([1 + _texture(scene)] * 3)
    picture = cv2.GaussianBlur(picture, (0, 0), scene.rng.uniform(0.3, 0.7) * math.sqrt(len(picture) / 120))
    picture += scene.rng.uniform(1.5, 4.5) * scene.rng.standard_normal(picture.shape, np.float32)
    photograph: NDArray[np.uint8] = picture.clip(0, 255).round().astype(np.uint8)
    return photograph


def _texture(scene: Scene) -> NDArray[np.float32]:
    classes = scene.canvas.classes()
    strengths = np.array([TEXTURES.get(thing, SMOOTH) for thing in Thing], np.float32)
    texture = np.zeros(classes.shape, np.float32)
    for strength, grain in zip(strengths.T, GRAINS, strict=True):
        texture += strength[classes] * _flicker(scene.rng, classes.shape, grain)
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
