"""What a mask file itself says: colours, lossy formats, palettes in another order, values that nobody drew."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.invented import find_invented
from atrous.data.faults.mending import (
    FromColors,
    Mend,
    OneChannel,
    Redraw,
    Values,
    known_values,
    nearest,
    unique_colors,
)
from atrous.images import PictureAsIs
from atrous.labels import IGNORE_COLOR, Color, LabelSpace

NEAR = 48**2
"""Squared distance of colours: further apart, a pixel has no class's colour, even after JPEG."""

MOSTLY = 0.95  # of the pixels


class Fault(NamedTuple):
    """A fault of one file."""

    kind: str
    what: str
    """What follows the file's name in the sentence."""
    repair: str
    mend: Mend | None
    """None if only leaving the sample out helps."""
    pixel: tuple[int, int] | None = None
    value: int | None = None
    pixels: int | None = None


TAKEN_OUT = "the pair is left out of the copy"


def fault_of(file: PictureAsIs, labels: LabelSpace, values: Mapping[int, int]) -> Fault | None:
    """Return what is wrong with the form of a mask file; strays of a sound file are judged elsewhere.

    Args:
        file: The file as it is.
        labels: The classes that its values should be indices of.
        values: What values in the files mean; others mean themselves.
    """
    if file.pixels.ndim == 3:
        return _colors(file, labels)
    if not file.keeps_values:
        return _lossy(file, labels)
    used = np.flatnonzero(np.bincount(file.pixels.ravel()))
    return _palette_order(file, used, labels) or _grey_of_colors(file, used, labels, values) or _invented(file)


def pixel_of(mask: NDArray[np.uint8 | np.uint16], value: int) -> tuple[int, int]:
    """(x, y) of the first pixel, row by row, of a value."""
    y, x = divmod(int((mask == value).argmax()), mask.shape[1])
    return x, y


def _colors(file: PictureAsIs, labels: LabelSpace) -> Fault:
    colors, places = unique_colors(file.pixels)
    counts = np.bincount(places.ravel())
    grey = bool((colors == colors[:, :1]).all())
    if grey and int(colors.max()) < labels.num_classes and file.keeps_values:
        what = "has three equal channels of class indices, where one is meant"
        return Fault("colour-mask", what, "the first channel is kept", OneChannel())
    references = np.array([*labels.colors, IGNORE_COLOR], np.int64)
    distances = np.array([nearest(color, references)[1] for color in colors])
    share = counts[distances <= (0 if file.keeps_values else NEAR)].sum() / counts.sum()
    mend = FromColors() if counts[distances <= NEAR].sum() / counts.sum() >= MOSTLY else None
    repair = (
        "each pixel gets the class of the nearest colour"
        if mend is not None
        else f"{TAKEN_OUT}: give the classes' colours"
    )
    worst = int(np.argmax(np.where(distances > 0, counts, -1)))
    of_class = f", {100 * share:.0f} % of them colours of classes"
    if not file.keeps_values:
        return Fault("lossy-mask", f"is a {file.format} of {len(colors):,} colours{of_class}", repair, mend)
    y, x = np.unravel_index(int((places == worst).argmax()), places.shape)
    what = f"is a picture of {len(colors):,} colours{of_class}, where indices are meant"
    return Fault("colour-mask", what, repair, mend, pixel=(int(x), int(y)), pixels=int(counts.sum()))


def _lossy(file: PictureAsIs, labels: LabelSpace) -> Fault:
    what = f"is a {file.format}, which changes values"
    pixels = file.pixels
    two_levels = np.minimum(pixels, 255 - np.minimum(pixels, 255)) <= 64
    if labels.num_classes == 2 and pixels.max() > 128 and two_levels.mean() >= MOSTLY:
        halves = Values({value: int(value >= 128) for value in range(256)})
        return Fault("lossy-mask", what, "values from 128 on become class 1, the others class 0", halves)
    return Fault("lossy-mask", what, f"{TAKEN_OUT}: export it again as PNG", None)


def _palette_order(file: PictureAsIs, used: NDArray[np.intp], labels: LabelSpace) -> Fault | None:
    """Indices whose palette gives each the colour of some class, but not of the class that they stand for."""
    if file.palette is None:
        return None
    classes = {color: index for index, color in reversed(list(enumerate(labels.colors)))}
    shown = {int(value): _color(file.palette[value]) for value in used if value < len(file.palette)}
    meant = {value: classes.get(color) for value, color in shown.items() if color != IGNORE_COLOR}
    moved = {value: index for value, index in meant.items() if index is not None and index != value}
    if not moved or None in meant.values() or len(meant) < 2:
        return None
    value, index = next(iter(moved.items()))
    meanings = {value: index for value, index in meant.items() if index is not None}
    meanings |= {value: labels.ignore_index for value, color in shown.items() if color == IGNORE_COLOR}
    what = f"shows value {value} in the colour of class {index} ({labels.names[index]})"
    count = int((file.pixels == value).sum())
    return Fault(
        "palette-order", what, "the colours of the palette say the classes", Values(meanings),
        pixel_of(file.pixels, value), value, count,
    )  # fmt: skip


def _color(entry: NDArray[np.uint8]) -> Color:
    red, green, blue = map(int, entry)
    return red, green, blue


def _grey_of_colors(
    file: PictureAsIs, used: NDArray[np.intp], labels: LabelSpace, values: Mapping[int, int]
) -> Fault | None:
    """Values that are all the brightness of a class's colour: a colour mask that was opened as grey."""
    strays = [int(value) for value in used if not known_values(labels)[values.get(int(value), int(value))]]
    meanings = _brightness(labels)
    chance = (len(meanings) / 256) ** len(strays)
    if not strays or chance > 0.02 or not all(int(value) in meanings for value in used):
        return None
    value = strays[0]
    what = f"has value {value}, which is no class but the brightness of the colour of class {meanings[value]}"
    repair = "each brightness becomes its class"
    count = int(np.isin(file.pixels, strays).sum())
    return Fault("grey-of-colours", what, repair, Values(meanings), pixel_of(file.pixels, value), value, count)


def _brightness(labels: LabelSpace) -> dict[int, int]:
    """The class of each brightness (ITU-R 601) that only one class, or the ignore colour, has."""
    found: dict[int, list[int]] = {}
    meanings = [*range(labels.num_classes), labels.ignore_index]
    for (red, green, blue), meaning in zip([*labels.colors, IGNORE_COLOR], meanings, strict=True):
        found.setdefault(round(0.299 * red + 0.587 * green + 0.114 * blue), []).append(meaning)
    return {brightness: classes[0] for brightness, classes in found.items() if len(classes) == 1}


def _invented(file: PictureAsIs) -> Fault | None:
    invented = find_invented(file.pixels)
    if invented is None:
        return None
    x, y = invented.pixel
    what = f"has invented values on {invented.pixels:,} pixels along edges, such as {invented.value}"
    repair = "invented pixels get the value of the nearest one that was drawn; better, resize to the nearest pixel"
    return Fault("invented-values", what, repair, Redraw(), (x, y), invented.value, invented.pixels)
