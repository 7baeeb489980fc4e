"""Examples made small enough to live inside a page: picture, truth, prediction and errors as data URIs."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atrous.labels import LabelSpace, Mask
from atrous.visualization import colorize, error_map

PAGE_BYTES = 9_000_000  # of all examples together, so that the page can be mailed
WIDTHS = (480, 360, 240, 160, 96)  # tried in turn until an example is as small as its share of the page
TALLEST = 1.5  # times the width; beyond it a card would be mostly one picture


class Example(NamedTuple):
    """A picture of the split, with what is there and what was found."""

    name: str
    image: NDArray[np.uint8]
    """uint8 [H, W, 3], RGB, of any size."""
    truth: Mask
    prediction: Mask
    standing: str = ""
    """Why this picture is shown; nothing if by chance."""


class Figure(NamedTuple):
    """One picture of a card."""

    kind: str
    """`picture`, `truth`, `prediction` or `errors`."""
    title: str
    uri: str
    alt: str


class Card(NamedTuple):
    """An example as the page shows it."""

    name: str
    size: tuple[int, int]
    """(height, width) of the original."""
    shown: tuple[int, int]
    """(height, width) of the figures."""
    mean_iou: float | None
    """Of this picture alone, over the classes that occur in it; None if all of it is ignored."""
    wrong: float | None
    """The share of the counted pixels that are wrong."""
    standing: str
    """Why this picture is shown; nothing if by chance."""
    classes: dict[int, float]
    """The IoU of each class that occurs in its truth or its prediction, by label."""
    figures: list[Figure]


def example_cards(examples: Sequence[Example], labels: LabelSpace) -> list[Card]:
    """Score each example, and shrink it to its share of `PAGE_BYTES` or to the smallest of `WIDTHS`.

    Raises:
        ValueError: If picture, truth and prediction of an example differ in size.
    """
    limit = PAGE_BYTES // max(1, len(examples))
    return [_card(example, labels, limit) for example in examples]


def _card(example: Example, labels: LabelSpace, limit: int) -> Card:
    size = _size(example)
    classes, wrong = _scores(example, labels)
    mean_iou = float(np.mean(list(classes.values()))) if classes else None
    for width in WIDTHS:
        small = _shrunk(example, width)
        figures = _figures(small, labels, wrong)
        if sum(len(figure.uri) for figure in figures) <= limit:
            break
    return Card(example.name, size, _size(small), mean_iou, wrong, example.standing, classes, figures)


def _size(example: Example) -> tuple[int, int]:
    sizes = [array.shape[:2] for array in (example.image, example.truth, example.prediction)]
    if len(set(sizes)) > 1:
        raise ValueError(f"{example.name}: picture, truth and prediction have the sizes {sizes} (height, width)")
    height, width = sizes[0]
    return height, width


def _scores(example: Example, labels: LabelSpace) -> tuple[dict[int, float], float | None]:
    """(IoU by class, share of wrong pixels) over the pixels whose truth is a class; nothing without such pixels."""
    counted = example.truth < np.intp(labels.num_classes)
    if not counted.any():
        return {}, None
    truth, prediction = example.truth[counted], example.prediction[counted]
    right = truth == prediction
    intersection = _counts(truth[right], labels)
    union = _counts(truth, labels) + _counts(prediction, labels) - intersection
    ious = {int(label): float(intersection[label] / union[label]) for label in np.flatnonzero(union)}
    return ious, float(1 - right.mean())


def _counts(mask: Mask, labels: LabelSpace) -> NDArray[np.intp]:
    return np.bincount(mask, minlength=labels.num_classes)[: labels.num_classes]


def _shrunk(example: Example, width: int) -> Example:
    height_before, width_before = example.truth.shape
    factor = min(1.0, width / width_before, TALLEST * width / height_before)
    size = max(1, round(width_before * factor)), max(1, round(height_before * factor))
    return Example(
        example.name,
        cv2.resize(example.image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(example.truth, size, interpolation=cv2.INTER_NEAREST_EXACT),
        cv2.resize(example.prediction, size, interpolation=cv2.INTER_NEAREST_EXACT),
        example.standing,
    )


def _figures(example: Example, labels: LabelSpace, wrong: float | None) -> list[Figure]:
    errors = error_map(example.image, example.truth, example.prediction, labels)
    share = "all pixels are ignored" if wrong is None else f"{100 * wrong:.1f}% of the pixels are wrong"
    return [
        Figure("picture", "Picture", _jpeg(example.image), f"The picture {example.name}"),
        Figure("truth", "Truth", _png(example.truth, labels), f"True classes: {_content(example.truth, labels)}"),
        Figure(
            "prediction",
            "Prediction",
            _png(example.prediction, labels),
            f"Predicted classes: {_content(example.prediction, labels)}",
        ),
        Figure("errors", "Errors", _jpeg(errors), f"Where the prediction errs: {share}"),
    ]


def _content(mask: Mask, labels: LabelSpace) -> str:
    """The classes of a mask in words, largest first."""
    shares = _counts(mask.ravel(), labels) / mask.size
    largest = [int(index) for index in np.argsort(-shares, kind="stable")[:6] if shares[index] > 0]
    words = [f"{labels.names[index]} {100 * shares[index]:.0f}%" for index in largest]
    return ", ".join(words) or "none"


def _jpeg(image: NDArray[np.uint8]) -> str:
    return _uri(Image.fromarray(image), "jpeg", quality=82, subsampling=0)  # subsampling would blur the red of errors


def _png(mask: Mask, labels: LabelSpace) -> str:
    if labels.mask_dtype is np.uint16:
        return _uri(Image.fromarray(colorize(mask, labels)), "png")
    image = Image.fromarray(np.minimum(mask, labels.ignore_index).astype(np.uint8))
    image.putpalette(labels.color_table.tobytes())
    return _uri(image, "png")


def _uri(image: Image.Image, picture_format: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, picture_format, **options)
    return f"data:image/{picture_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"
