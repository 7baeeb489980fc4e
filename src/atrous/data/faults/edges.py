"""Whether a mask fits a picture: where its classes meet, the picture should change, too."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.labels import Mask

SEEN_AT = 240  # pixels of the longer side in which edges of the picture are found
KEPT_AT = 120  # pixels of the longer side in which they are compared
SURROUNDINGS = 21  # pixels of `SEEN_AT` over which strong and weak edges are made alike
FLOOR = 6.0  # steps of 8-bit colour below which a change is noise
STRONGEST = 4.0  # times the mean of the surroundings


class Edges(NamedTuple):
    """Edges of a picture and of a mask, both uint8 [h, w]."""

    picture: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def edges_of(image: NDArray[np.uint8], mask: Mask) -> Edges:
    """Return the edges of both; `mask` need not be of the picture's size, only of its shape."""
    height, width = image.shape[:2]
    factor = min(1.0, KEPT_AT / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return Edges(_picture_edges(image, size), _mask_edges(mask, size))


def agreement(picture_edges: NDArray[np.uint8], mask_edges: NDArray[np.uint8]) -> float:
    """Correlation of the edges of a picture with those of a mask, -1..1; 0 where one of them has none."""
    first, second = (unit(edges[None])[0] for edges in (picture_edges, mask_edges))
    return float(first @ second)


def unit(edges: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Edges [N, h, w] as vectors [N, h * w] of mean 0 and length 1; without edges, of length 0."""
    vectors = edges.reshape(len(edges), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def _picture_edges(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Strength of change, in any channel, relative to the surroundings; a quarter of `STRONGEST` is 64."""
    factor = SEEN_AT / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(image, (3, 3), 0).astype(np.float32)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.sqrt((across * across + down * down).max(axis=2))
    relative = strength / (cv2.blur(strength, (SURROUNDINGS, SURROUNDINGS)) + FLOOR)
    scaled = np.minimum(relative, STRONGEST) * np.float32(255 / STRONGEST)
    edges: NDArray[np.uint8] = cv2.resize(scaled, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return edges


def _mask_edges(mask: Mask, size: tuple[int, int]) -> NDArray[np.uint8]:
    square = np.ones((2, 2), np.uint8)
    lines = (cv2.dilate(mask, square) != cv2.erode(mask, square)).astype(np.float32) * 255
    small = cv2.resize(lines, size, interpolation=cv2.INTER_AREA)
    edges: NDArray[np.uint8] = cv2.GaussianBlur(small, (0, 0), 0.6).astype(np.uint8)
    return edges
