"""A canvas that remembers which object each of its pixels shows, and the camera that looks at it."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Color = tuple[float, float, float]

SUPERSAMPLING = 2
_SUBPIXEL_BITS = 4
_MIDDLE = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
_DOWNWARDS = np.array((1.0, -1.0))


class Camera(NamedTuple):
    """A pinhole camera above the ground, in pixels of the canvas; x is metres to the right, y up, z ahead."""

    focal_length: float
    vanishing_point: Points
    """Float [2], (x, y): where all that leads straight ahead meets; its y is the horizon."""
    height: float
    """Metres above the ground."""

    def project(self, points: Points) -> Points:
        """Float [..., 3] (x, y, z) in metres become [..., 2] (x, y) on the canvas."""
        projected: Points = points[..., :2] * (self.focal_length / points[..., 2:])
        projected[..., 1] -= self.focal_length * self.height / points[..., 2]
        projected *= _DOWNWARDS
        projected += self.vanishing_point
        return projected

    def distance_of_rows(self, rows: Points) -> Points:
        """How many metres ahead the ground lies that is seen on each row below the horizon."""
        distances: Points = self.focal_length * self.height / np.maximum(rows - self.vanishing_point[1], 1e-3)
        return distances


class Canvas:
    """A picture that is painted back to front at twice its size, object after object, at most 255 of them."""

    def __init__(self, size: tuple[int, int]) -> None:
        """An empty canvas for a picture of `size`, (height, width)."""
        height, width = size
        # The fourth channel is the number of the object: one call of OpenCV paints both.
        self._samples = np.zeros((SUPERSAMPLING * height, SUPERSAMPLING * width, 4), np.uint8)
        self._classes: list[int] = []

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas, twice that of the picture."""
        height, width, _ = self._samples.shape
        return height, width

    def begin(self, class_index: int) -> None:
        """Begin a new object of a class: all that is filled from now on belongs to it."""
        self._classes.append(class_index)

    def fill(self, polygons: Points, color: Color) -> None:
        """Fill convex polygons, float [..., N, 2] (x, y), as part of the present object."""
        corners = (polygons * 2**_SUBPIXEL_BITS).astype(np.int32)
        paint = (*color, len(self._classes) - 1)
        for polygon in corners.reshape(-1, *corners.shape[-2:]):
            cv2.fillConvexPoly(self._samples, polygon, paint, shift=_SUBPIXEL_BITS)

    def fill_rows(self, colors: Points) -> None:
        """Fill all of the canvas, each row with its colour, float [height, 3], as part of the present object."""
        paint = np.insert(colors.clip(0, 255).astype(np.uint8), 3, len(self._classes) - 1, axis=1)
        self._samples = cv2.repeat(paint[:, None], 1, self.size[1])

    def light_rows(self, start: int, light: NDArray[np.float32], haze: NDArray[np.float32]) -> None:
        """From a row downwards, multiply by light, [rows, width], and add haze, [rows, 3]; objects stay."""
        below = self._samples[start:]
        lit = cv2.multiply(below, cv2.merge((light, light, light, np.ones_like(light))), dtype=cv2.CV_8U)
        hazy = np.insert(haze.astype(np.uint8), 3, 0, axis=1)
        cv2.add(lit, cv2.repeat(hazy[:, None], 1, self.size[1]), dst=below)

    def classes(self) -> NDArray[np.uint8]:
        """uint8 [H, W]: the class index of each pixel of the picture."""
        return np.array(self._classes, np.uint8)[self._samples[_MIDDLE, _MIDDLE, 3]]

    def outlines(self) -> NDArray[np.bool_]:
        """Bool [H, W]: the pixels that two objects meet in: an unbroken line of one pixel around each object."""
        # Windows one sample larger than a pixel also see an edge that falls between two pixels.
        window = np.ones((SUPERSAMPLING + 1, SUPERSAMPLING + 1), np.uint8)
        objects = np.ascontiguousarray(self._samples[..., 3])
        outlines: NDArray[np.bool_] = (cv2.erode(objects, window) != cv2.dilate(objects, window))[_MIDDLE, _MIDDLE]
        return outlines

    def reduced(self) -> NDArray[np.float32]:
        """float32 [H, W, 3] in 0..255: the picture at its own size, each pixel the mean of its samples."""
        height, width = self.size
        size = (width // SUPERSAMPLING, height // SUPERSAMPLING)
        reduced = cv2.resize(self._samples, size, interpolation=cv2.INTER_AREA)
        picture: NDArray[np.float32] = cv2.cvtColor(reduced, cv2.COLOR_RGBA2RGB).astype(np.float32)
        return picture
