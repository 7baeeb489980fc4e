"""The page of suspects: each with its place in the picture, in the label and in the prediction."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.data.pages.environment import write_page
from atrous.data.pages.pictures import picture_uri
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.suspect_regions import area_of
from atrous.evaluation.suspects import Judge, Suspect, judged_by, pictures_of
from atrous.labels import LabelSpace, Mask
from atrous.progress import Progress, Silent, track
from atrous.visualization import overlay

Colors = NDArray[np.uint8]

AROUND = 0.75
"""Of the longer side of an area's box: what is shown beyond each of its sides."""
OPACITY = 0.6
"""Of the classes' colours over the picture."""
SMALLEST = 64
"""Pixels that a crop shows at least in each direction."""
ENLARGED = 240
"""Pixels to which the longer side of a small crop is enlarged."""
LINES = (((0, 0, 0), 3), ((255, 255, 255), 1))
"""Colour and thickness of the two lines around an area, which are seen on any ground."""


class Figure(NamedTuple):
    """A crop with its words."""

    caption: str
    uri: str


class Card(NamedTuple):
    """A suspect as the page shows it."""

    place: int
    suspect: Suspect
    given: str
    predicted: str
    given_color: str
    predicted_color: str
    figures: list[Figure]


def write_suspects_page(
    path: Path,
    suspects: Sequence[Suspect],
    dataset: SegmentationDataset,
    judges: Sequence[Judge],
    *,
    model: str,
    total: int,
    progress: Progress | None = None,
) -> None:
    """Write the page of the first suspects; each of their pictures is predicted once more.

    Args:
        path: The HTML file; an older one is replaced.
        suspects: Those that are shown, the most suspicious first.
        dataset: The split.
        judges: Who judged it.
        model: How the page calls them.
        total: How many suspects there are in all.
        progress: Where to show how far it is.

    Raises:
        OutputError: If the file cannot be written.
        ImageError, MaskError: If a file is unreadable.
    """
    cards: dict[int, Card] = {}
    pictures = pictures_of(suspects)
    for index in track(pictures, progress or Silent(), "Drawing", len(pictures)):
        image, mask, _ = dataset[index]
        prediction = judged_by(judges, dataset, index)
        predicted: Mask = prediction.probabilities.argmax(axis=0).astype(dataset.labels.mask_dtype)
        for place, suspect in enumerate(suspects, start=1):
            if suspect.picture == index:
                cards[place] = _card(place, suspect, dataset.labels, image, mask, predicted)
    write_page(
        path,
        "suspects_page.html.j2",
        dataset=dataset,
        model=model,
        total=total,
        cards=[cards[place] for place in sorted(cards)],
    )


def _card(place: int, suspect: Suspect, labels: LabelSpace, image: Colors, mask: Mask, predicted: Mask) -> Card:
    region = suspect.region
    area = area_of(region, mask, predicted)
    window = _window(region.box, mask.shape)
    views = {
        "Picture": image,
        "Label": overlay(image, mask, labels, OPACITY),
        "Prediction": overlay(image, predicted, labels, OPACITY),
    }
    return Card(
        place,
        suspect,
        labels.names[region.given],
        labels.names[region.predicted],
        _css(labels, region.given),
        _css(labels, region.predicted),
        [Figure(caption, picture_uri(_outlined(view[window], area[window]))) for caption, view in views.items()],
    )


def _window(box: tuple[int, int, int, int], size: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns to show around a box, inside the picture."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    half = max(SMALLEST, round((1 + 2 * AROUND) * side)) // 2
    row, column = (top + bottom) // 2, (left + right) // 2
    return slice(max(0, row - half), min(size[0], row + half)), slice(
        max(0, column - half), min(size[1], column + half)
    )


def _outlined(view: Colors, area: NDArray[np.bool_]) -> Colors:
    """A crop, enlarged if it is small, with lines around an area."""
    factor = max(1.0, ENLARGED / max(view.shape[:2]))
    size = round(view.shape[1] * factor), round(view.shape[0] * factor)
    enlarged = cv2.resize(view, size, interpolation=cv2.INTER_CUBIC)
    filled = cv2.resize(area.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
    contours, _ = cv2.findContours(filled, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for color, thickness in LINES:
        cv2.drawContours(enlarged, contours, -1, color, thickness)
    return np.asarray(enlarged, np.uint8)


def _css(labels: LabelSpace, label: int) -> str:
    return f"#{bytes(labels.colors[label]).hex()}"
