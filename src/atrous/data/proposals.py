"""Classes for masks that nobody has described: proposed from the values that are found, or asked for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from atrous.data.pairs import ImageMaskPair
from atrous.errors import DatasetError, MaskError
from atrous.images import read_mask, read_mask_colors, read_mask_palette
from atrous.labels import Color, LabelSpace, voc_colors

MOST_READ = 2000
"""Masks whose values are looked at; of more, so many are taken at equal distances."""

MOST_LISTED = 12
"""Values in one sentence."""

IGNORE = 255


class Proposal(NamedTuple):
    """Classes that fit to what was found."""

    labels: LabelSpace
    read: int
    """How many masks were looked at."""


def propose_classes(pairs: Sequence[ImageMaskPair], place: str) -> Proposal:
    """Propose `class 0`, `class 1`, ... for masks that hold 0..K-1, with or without 255 as the ignore value.

    The colours are those of the palette, where the masks have one.

    Args:
        pairs: All pictures with their masks.
        place: Where they are, for messages.

    Raises:
        DatasetError: If the values can mean several things: it names them, and what to write into dataset.yaml.
        MaskError: If a mask cannot be read.
    """
    step = max(1, -(-len(pairs) // MOST_READ))
    read = pairs[::step]
    values = _values_in(read, place)
    classes = [value for value in values if value != IGNORE]
    if len(classes) < 2 or classes != list(range(len(classes))) or len(classes) >= IGNORE:
        raise DatasetError(_question(values, len(read), place))
    labels = LabelSpace(names=tuple(f"class {value}" for value in classes), colors=_colors(read, classes))
    return Proposal(labels, len(read))


def _values_in(pairs: Sequence[ImageMaskPair], place: str) -> list[int]:
    found = np.zeros(65536, np.bool_)
    for pair in pairs:
        try:
            mask = read_mask(pair.mask)
        except MaskError:
            read_mask_colors(pair.mask)  # what no colour mask is either, is named by this
            raise DatasetError(
                f"{pair.mask} is a colour picture: list what its colours mean in {place}/classes.json, as in "
                f'{{"road": [128, 64, 128]}}, and give the data set as colour-masks:{place}.'
            ) from None
        found[mask] = True
    return [int(value) for value in np.flatnonzero(found)]


def _colors(pairs: Sequence[ImageMaskPair], classes: Sequence[int]) -> tuple[Color, ...]:
    palette = read_mask_palette(pairs[0].mask)
    own = [palette[value] for value in classes if value in palette]
    return tuple(own) if len(set(own)) == len(classes) else voc_colors(len(classes))


def _question(values: Sequence[int], read: int, place: str) -> str:
    names = ["background", "foreground"] if len(values) == 2 else [f"name {value}" for value in values]
    entries = [f"{{name: {name}, value: {value}}}" for name, value in zip(names, values, strict=True)]
    return (
        f"What the masks in {place} mean is not certain, since the values in {read} of them are "
        f"{_shortened(list(map(str, values)))}: write {place}/dataset.yaml, such as {{name: mine, classes: "
        f"[{_shortened(entries)}]}}, with `ignore_index` for the value that is no class."
    )


def _shortened(texts: Sequence[str]) -> str:
    return ", ".join(texts[:MOST_LISTED]) + (", ..." if len(texts) > MOST_LISTED else "")
