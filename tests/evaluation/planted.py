"""Label errors that are planted into masks, and how early a list of suspects names them."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.evaluation.suspects import Suspect
from atrous.labels import Mask

Kind = Literal["exchanged", "missing", "shifted"]
REASONABLE = 200
"""Pixels of the smallest component that is changed; what covers half of a picture is none, either."""
AROUND = np.ones((7, 7), np.uint8)


class Planted(NamedTuple):
    """An error: which picture, and the pixels that are now wrong."""

    picture: int
    area: NDArray[np.bool_]


def plant(
    masks: Sequence[Mask], num_classes: int, kind: Kind, seed: int, share: float = 0.05
) -> tuple[list[Mask], list[Planted]]:
    """Change a share of the connected components: they get a class by chance, vanish in what is around, or move."""
    random = np.random.default_rng(seed)
    changed, planted = [], []
    for picture, mask in enumerate(masks):
        new = mask.copy()
        for label, area in components(mask, num_classes):
            if random.random() < share:
                before = new.copy()
                _change(new, area, label, kind, num_classes, random)
                wrong = (new != before) & (mask < num_classes)
                if wrong.sum() >= REASONABLE // 2:
                    planted.append(Planted(picture, wrong))
                else:
                    new = before
        changed.append(new)
    return changed, planted


def components(mask: Mask, num_classes: int) -> list[tuple[int, NDArray[np.bool_]]]:
    """The connected areas of reasonable size with their classes."""
    found = []
    for label in range(num_classes):
        count, numbers, sizes, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8), connectivity=4)
        found += [
            (label, numbers == number)
            for number in range(1, count)
            if REASONABLE <= sizes[number, cv2.CC_STAT_AREA] < mask.size / 2
        ]
    return found


def _change(
    mask: Mask, area: NDArray[np.bool_], label: int, kind: Kind, num_classes: int, random: np.random.Generator
) -> None:
    if kind == "exchanged":
        mask[area] = random.choice([other for other in range(num_classes) if other != label])
        return
    near = mask[cv2.dilate(area.astype(np.uint8), AROUND).astype(bool) & ~area]
    near = near[(near < num_classes) & (near != label)]
    if near.size:
        mask[area] = np.bincount(near).argmax()
        if kind == "shifted":
            far, angle = max(12, math.sqrt(area.sum()) / 2), random.uniform(0, 2 * math.pi)
            move = np.array([[1, 0, far * math.cos(angle)], [0, 1, far * math.sin(angle)]], np.float32)
            moved = cv2.warpAffine(area.astype(np.uint8), move, mask.shape[::-1], flags=cv2.INTER_NEAREST)
            mask[moved.astype(bool) & (mask < num_classes)] = label


class Found(NamedTuple):
    """Shares of the planted errors."""

    first_tenth: float
    """Within the first tenth of the list."""
    at_all: float
    first_as_many: float
    """Within as many suspects as there are errors."""


def found_of(
    planted: Sequence[Planted], suspects: Sequence[Suspect], area: Callable[[Suspect], NDArray[np.bool_]]
) -> Found:
    """How early the list names the errors.

    A suspect names an error if more than half of its pixels lie in it, and cover a quarter of it.

    Args:
        planted: The errors.
        suspects: The list.
        area: The pixels of a suspect, bool [H, W].
    """
    places: list[int] = []
    of_picture: dict[int, list[tuple[int, Suspect]]] = {}
    for place, suspect in enumerate(suspects):
        of_picture.setdefault(suspect.picture, []).append((place, suspect))
    for error in planted:
        candidates = of_picture.get(error.picture, [])
        places += [place for place, suspect in candidates if _names(area(suspect), error.area)][:1]
    found, tenth, errors = np.array(places), math.ceil(len(suspects) / 10), len(planted)
    return Found((found < tenth).sum() / errors, len(found) / errors, (found < errors).sum() / errors)


def _names(area: NDArray[np.bool_], error: NDArray[np.bool_]) -> bool:
    common = (area & error).sum()
    return bool(common > area.sum() / 2 and common >= error.sum() / 4)
