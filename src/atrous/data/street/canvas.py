"""A canvas that remembers which object each of its pixels shows, and the camera that looks at it."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Color = tuple[float, float, float]

SUPERSAMPLING = 2
_SUBPIXEL_BITS = 4
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
        height, width = (SUPERSAMPLING * side for side in size)
        self.picture = np.zeros((height, width, 3), np.uint8)
        self._objects = np.zeros((height, width), np.uint8)
        self._classes: list[int] = []

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas, twice that of the picture."""
        height, width = self._objects.shape
        return height, width

    def begin(self, class_index: int) -> None:
        """Begin a new object of a class: all that is filled from now on belongs to it."""
        self._classes.append(class_index)

    def fill(self, polygons: Points, color: Color) -> None:
        """Fill convex polygons, float [..., N, 2] (x, y), as part of the present object."""
        corners = (polygons * 2**_SUBPIXEL_BITS).astype(np.int32)
        for polygon in corners.reshape(-1, *corners.shape[-2:]):
            cv2.fillConvexPoly(self.picture, polygon, color, shift=_SUBPIXEL_BITS)
            cv2.fillConvexPoly(self._objects, polygon, len(self._classes) - 1, shift=_SUBPIXEL_BITS)

    def classes(self) -> NDArray[np.uint8]:
        """uint8 [H, W]: the class index of each pixel of the picture."""
        first = SUPERSAMPLING // 2
        return np.array(self._classes, np.uint8)[self._objects[first::SUPERSAMPLING, first::SUPERSAMPLING]]

    def outlines(self) -> NDArray[np.bool_]:
        """Bool [H, W]: the pixels that two objects meet in: an unbroken line of one pixel around each object."""
        # Windows one sample larger than a pixel also see an edge that falls between two pixels.
        window = np.ones((SUPERSAMPLING + 1, SUPERSAMPLING + 1), np.uint8)
        first = SUPERSAMPLING // 2
        mixed = cv2.erode(self._objects, window) != cv2.dilate(self._objects, window)
        outlines: NDArray[np.bool_] = mixed[first::SUPERSAMPLING, first::SUPERSAMPLING]
        return outlines

    def reduced(self) -> NDArray[np.float32]:
        """float32 [H, W, 3] in 0..255: the picture at its own size, each pixel the mean of its samples."""
        height, width = self.size
        size = (width // SUPERSAMPLING, height // SUPERSAMPLING)
        reduced: NDArray[np.float32] = cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return reduced
