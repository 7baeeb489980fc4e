"""Masks that probably belong to another picture: the edges of both agree better with those of another pair."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.edges import unit
from atrous.data.faults.observation import FITS_BETTER
from atrous.data.faults.survey import Place, Suspect

SURELY_BETTER = 0.1
"""The same for one mask in a ring of two or more; the pictures of CamVid and VOC have at most 0.055."""


class Misplaced(NamedTuple):
    """A mask, by its sample, that fits the picture of another one."""

    mask: Place
    picture: Place
    gain: float
    """How much more it agrees with that picture than with its own."""


def find_misplaced(suspects: Sequence[Suspect]) -> list[Misplaced]:
    """Return all masks that were exchanged, two by two or in a ring, within one split and one size."""
    groups: dict[tuple[int, int, int], list[Suspect]] = {}
    for suspect in suspects:
        groups.setdefault((suspect.place[0], *suspect.size), []).append(suspect)
    found = [moved for group in groups.values() if len(group) > 1 for moved in _in_group(group)]
    return sorted(found, key=lambda moved: moved.picture)


def _in_group(group: Sequence[Suspect]) -> Iterator[Misplaced]:
    """Those of one size; row and column of the matrix are a picture and a mask."""
    group = sorted(group, key=lambda suspect: suspect.place)
    pictures = unit(np.stack([suspect.edges.picture for suspect in group]))
    masks = unit(np.stack([suspect.edges.mask for suspect in group]))
    fits = pictures @ masks.T
    moves = _in_rings(fits)  # first, for a ring also has two masks that fit a little better when exchanged
    moves |= _exchanged(fits, taken=set(moves))
    for picture, mask in sorted(moves.items()):
        gain = float(fits[picture, mask] - fits[picture, picture])
        yield Misplaced(group[mask].place, group[picture].place, gain)


def _exchanged(fits: NDArray[np.float32], taken: set[int]) -> dict[int, int]:
    """The mask of each picture of two that were exchanged; those that gain most come first."""
    own = np.diag(fits)
    gains = (fits + fits.T - own[:, None] - own[None, :]) / 2
    each_gains = fits > own[:, None]
    gains = np.triu(np.where(each_gains & each_gains.T, gains, -1), 1)
    moves: dict[int, int] = {}
    rows, columns = np.nonzero(gains > FITS_BETTER)
    for place in np.argsort(-gains[rows, columns], kind="stable"):
        one, other = int(rows[place]), int(columns[place])
        if not {one, other} & (moves.keys() | taken):
            moves |= {one: other, other: one}
    return moves


def _in_rings(fits: NDArray[np.float32]) -> dict[int, int]:
    """The mask of each picture in rings where each mask fits the next picture best."""
    own = np.diag(fits)
    gains = np.minimum(fits - own[:, None], fits - own[None, :])
    best = gains.argmax(axis=1)
    follows = {
        int(row): int(best[row])
        for row in np.flatnonzero(gains.max(axis=1) > SURELY_BETTER)
        if int(gains[:, best[row]].argmax()) == row
    }
    return {row: follows[row] for ring in _rings(follows) for row in ring}


def _rings(follows: dict[int, int]) -> Iterator[list[int]]:
    """The closed ways along `follows`."""
    waiting = set(follows)
    while waiting:
        start = min(waiting)
        ring, place = [], start
        while place in waiting:
            waiting.discard(place)
            ring.append(place)
            place = follows[place]
        if place == start:
            yield ring
