"""Connected areas of one picture where a network contradicts the label, each with its evidence."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from atrous.labels import Mask

THINNEST = 0.008
"""Of the picture's diagonal: narrower areas are where boundaries were drawn a little differently (5 of 480x360)."""
NARROWEST = 3
"""Pixels; in narrower areas every pixel lies on a boundary."""
FLOOR = 1e-3
"""The least probability that counts: a network's one in a billion is no more to be believed than one in a thousand."""


class Region(NamedTuple):
    """An area that has one class in the label and another one in the prediction."""

    given: int
    """The class that the label gives it."""
    predicted: int
    """The class that the network gives it."""
    box: tuple[int, int, int, int]
    """(left, top, right, bottom) in pixels; right and bottom lie behind it."""
    pixels: int
    width: float
    """In pixels: the diameter of the largest disc that fits into it."""
    given_probability: float
    """What the network leaves for the given class, the mean over the area."""
    predicted_probability: float
    """Its own class's, the mean over the area."""
    denied: float
    """Of the network's connected area of its class, to which these pixels belong: the share that the label denies."""
    evidence: float
    """See `suspicious_regions`; 0 is none."""


def suspicious_regions(probabilities: NDArray[np.float32], mask: Mask) -> Iterator[Region]:
    """Find the areas of a picture where label and most probable class differ, wide enough to be no boundary.

    The evidence of an area is the mean of log(p_predicted / p_given), in which a pixel weighs as much as it is away
    from the area's border, times the root of the area's width as a share of the picture's diagonal, times the root of
    the share that the label denies of the network's connected area around it. So a network that hesitates, or differs
    in a band along a true boundary, or only sees more of an object that the label has too, says little.

    Args:
        probabilities: float32 [K, H, W]; the K values of a pixel sum to 1.
        mask: [H, W]; values that are no class are not judged.
    """
    classes = np.intp(len(probabilities))
    judged = mask < classes
    given = np.where(judged, mask, 0).astype(np.intp)
    predicted = probabilities.argmax(axis=0)
    wrong = judged & (predicted != given)
    given_probability = np.take_along_axis(probabilities, given[None], axis=0)[0]
    seen = _Seen(given_probability, probabilities.max(axis=0), _denied(np.where(judged, predicted, -1), wrong))
    pairs = np.where(wrong, given * classes + predicted + 1, 0)
    for pair, box in enumerate(find_objects(pairs)):
        if box is not None:
            for area in _areas(pairs[box] == pair + 1):
                region = _region(area, box, seen, divmod(pair, int(classes)))
                if region is not None:
                    yield region


def area_of(region: Region, mask: Mask, predicted: Mask) -> NDArray[np.bool_]:
    """The pixels of a region, bool [H, W].

    Args:
        region: What was found there.
        mask: The label, [H, W].
        predicted: The most probable classes, [H, W].

    Raises:
        ValueError: If there is no such region.
    """
    left, top, right, bottom = region.box
    place = slice(top, bottom), slice(left, right)
    for area in _areas((mask[place] == region.given) & (predicted[place] == region.predicted)):
        if area.inside.shape == (bottom - top, right - left) and area.inside.sum() == region.pixels:
            pixels = np.zeros(mask.shape, np.bool_)
            pixels[place] = area.inside
            return pixels
    raise ValueError(f"no {region.pixels} pixels of {region.given} were predicted as {region.predicted} there")


class _Seen(NamedTuple):
    """What is known of each pixel, float32 [H, W]: two probabilities, and how much of its area the label denies."""

    given: NDArray[np.float32]
    predicted: NDArray[np.float32]
    denied: NDArray[np.float32]


def _denied(predicted: NDArray[np.intp], wrong: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of each connected area of one predicted class that holds a wrong pixel: the share that is wrong; else 0."""
    denied = np.zeros(predicted.shape, np.float32)
    for label in np.unique(predicted[wrong]):
        inside = predicted == label
        _, numbers = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
        share = np.bincount(numbers[inside], wrong[inside]) / np.maximum(1, np.bincount(numbers[inside]))
        denied[inside] = share[numbers[inside]]
    return denied


class _Area(NamedTuple):
    """A connected area, with its place in what it was found in."""

    place: tuple[slice, slice]
    inside: NDArray[np.bool_]


def _areas(wanted: NDArray[np.bool_]) -> Iterator[_Area]:
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(wanted.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        left, top, width, height, _ = map(int, boxes[number])
        if min(width, height) >= NARROWEST:
            place = slice(top, top + height), slice(left, left + width)
            yield _Area(place, numbers[place] == number)


def _region(area: _Area, box: tuple[slice, slice], seen: _Seen, classes: tuple[int, int]) -> Region | None:
    """The area with its evidence; none where it is too narrow."""
    to_border = cv2.distanceTransform(np.pad(area.inside, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    to_border = to_border[1:-1, 1:-1][area.inside]
    width = 2 * float(to_border.max()) - 1
    diagonal = math.hypot(*seen.given.shape)
    if width < max(NARROWEST, THINNEST * diagonal):
        return None
    top, left = (outer.start + inner.start for outer, inner in zip(box, area.place, strict=True))
    height, length = area.inside.shape
    given, predicted, denied = (
        values[top : top + height, left : left + length][area.inside].astype(np.float64) for values in seen
    )
    log_ratio = np.log(np.maximum(predicted, FLOOR) / np.maximum(given, FLOOR))
    mean = np.average(log_ratio, weights=to_border - 1)  # the border's own pixels say nothing
    return Region(
        given=classes[0],
        predicted=classes[1],
        box=(left, top, left + length, top + height),
        pixels=int(area.inside.sum()),
        width=width,
        given_probability=float(given.mean()),
        predicted_probability=float(predicted.mean()),
        denied=float(denied[0]),
        evidence=float(mean) * math.sqrt(width / diagonal * denied[0]),
    )
