"""A prediction becomes the bytes of an answer: which one is asked for, and how each is written."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple, assert_never

import numpy as np
from PIL import Image

from atrous.images import mask_picture
from atrous.inference.prediction import Prediction
from atrous.server.limits import MEGA, Limits
from atrous.server.refusals import RefusedError
from atrous.server.schemas import WANTED, Area, Polygon, SegmentAnswer, SegmentOptions, Wanted

JSON = "application/json"
MEDIA_TYPES: dict[str, Wanted] = {
    "image/png": "mask",
    "image/jpeg": "overlay",
    JSON: "areas",
    "application/x-npy": "probabilities",
}
"""What the header Accept asks for; the first stands for anything."""
JPEG_QUALITY = 90
BYTES_OF_A_VALUE = 4


class Answer(NamedTuple):
    """The body of an answer, and its type."""

    media_type: str
    content: bytes


def wanted_by(options: SegmentOptions, accept: str) -> tuple[Wanted, ...]:
    """Return what a request asks for, by its parameter or else by its header Accept (RFC 9110, section 12.5.1).

    Raises:
        RefusedError: If the header names only types that there are not.
    """
    if options.answer is not None:
        asked = options.answer.split(",")
        return tuple(word for word in WANTED if word in asked)
    qualities = {media: _quality(media, accept) for media in MEDIA_TYPES}
    best = max(qualities, key=lambda media: qualities[media])
    if qualities[best] <= 0:
        listed = ", ".join(MEDIA_TYPES)
        raise RefusedError(406, "not_acceptable", f"There is no such type of answer: accept one of {listed}.")
    return (MEDIA_TYPES[best],)


def _quality(media: str, accept: str) -> float:
    """How much a type is wanted, 0..1; what names it exactly counts before `image/*`, and that before `*/*`."""
    ranges = {}
    for part in filter(None, (part.strip() for part in accept.split(","))):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        ranges[name] = next((_number(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
    if not ranges:
        return 1.0
    for name in (media, f"{media.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0


def _number(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0


def require_room_for(wanted: Sequence[Wanted], size: Sequence[int], num_classes: int, limits: Limits) -> None:
    """Refuse probabilities that would fill the memory, before anything is computed.

    Raises:
        RefusedError: It says how large they would be.
    """
    values = size[0] * size[1] * num_classes
    if "probabilities" in wanted and values > limits.probability_values:
        raise RefusedError(
            413,
            "answer_too_large",
            f"Probabilities of {num_classes} classes at this size take {values * BYTES_OF_A_VALUE / MEGA:.0f} MB and "
            f"the server gives {limits.probability_values * BYTES_OF_A_VALUE / MEGA:.0f} MB: make the picture smaller.",
        )


def mask_png(prediction: Prediction) -> bytes:
    """The mask as PNG: a palette and class indices, or 16 bits above 255 classes."""
    return _encoded(mask_picture(prediction.mask, prediction.labels), "PNG")


def overlay_jpeg(prediction: Prediction, opacity: float) -> bytes:
    """The picture with the classes' colours over it."""
    return _encoded(Image.fromarray(prediction.overlay(opacity)), "JPEG", quality=JPEG_QUALITY)


def probabilities_npy(prediction: Prediction) -> bytes:
    """The probabilities, float32 [K, H, W], as `numpy.load` reads them."""
    file = io.BytesIO()
    np.save(file, prediction.probabilities, allow_pickle=False)
    return file.getvalue()


def areas_of(prediction: Prediction) -> list[Area]:
    """How much of the picture each class is that occurs; the largest first."""
    labels = prediction.labels
    counts = np.bincount(prediction.mask.ravel(), minlength=labels.num_classes)[: labels.num_classes]
    order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    return [
        Area(
            index=index,
            name=labels.names[index],
            color=labels.colors[index],
            pixels=int(counts[index]),
            share=float(counts[index] / prediction.mask.size),
        )
        for index in order
    ]


def polygons_of(prediction: Prediction, tolerance: float, limits: Limits) -> list[Polygon]:
    """The outlines of all connected areas.

    Raises:
        RefusedError: If the mask is so torn that they would fill the memory.
    """
    mask = prediction.mask
    sides = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    if sides > limits.polygon_corners:
        raise RefusedError(413, "answer_too_large", "The mask has too many small areas for polygons: ask for the mask.")
    names = prediction.labels.names
    return [
        Polygon(
            index=polygon.label,
            name=names[polygon.label],
            area=polygon.area,
            outline=polygon.outline.round(2).tolist(),
            holes=[hole.round(2).tolist() for hole in polygon.holes],
        )
        for polygon in prediction.polygons(tolerance)
    ]


def answer_of(
    prediction: Prediction, wanted: Sequence[Wanted], options: SegmentOptions, limits: Limits, facts: SegmentAnswer
) -> Answer:
    """Write what was asked for.

    Args:
        prediction: What the network says.
        wanted: One of all, or several that JSON can hold.
        options: How an overlay and polygons are made.
        limits: Up to which size.
        facts: An answer without results, for JSON.

    Raises:
        RefusedError: If the answer would be too large.
    """
    match tuple(wanted):
        case ("mask",):
            return Answer("image/png", mask_png(prediction))
        case ("overlay",):
            return Answer("image/jpeg", overlay_jpeg(prediction, options.opacity))
        case ("probabilities",):
            return Answer("application/x-npy", probabilities_npy(prediction))
        case _:
            filled = _filled(prediction, wanted, options, limits, facts)
            return Answer(JSON, filled.model_dump_json(exclude_none=True).encode())


def _filled(
    prediction: Prediction, wanted: Sequence[Wanted], options: SegmentOptions, limits: Limits, facts: SegmentAnswer
) -> SegmentAnswer:
    for word in wanted:
        match word:
            case "areas":
                facts.areas = areas_of(prediction)
            case "polygons":
                facts.polygons = polygons_of(prediction, options.tolerance, limits)
            case "mask":
                facts.mask = base64.b64encode(mask_png(prediction)).decode()
            case "overlay":
                facts.overlay = base64.b64encode(overlay_jpeg(prediction, options.opacity)).decode()
            case "probabilities":  # the options' pattern keeps them alone
                raise ValueError("probabilities are an answer of their own")
            case _:
                assert_never(word)
    return facts


def _encoded(image: Image.Image, picture_format: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format=picture_format, **options)
    return file.getvalue()
