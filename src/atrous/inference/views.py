"""One picture seen several times: at other sizes and mirrored, the answers averaged as probabilities."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from atrous.config import Config
from atrous.labels import Mask

if TYPE_CHECKING:
    from atrous.networks.layers import ResizeMode

BAND = 64
"""Rows of a mask that are averaged together: so the probabilities of the whole picture are never held."""

ALL = slice(None)
"""Every row, or every column."""


class View(NamedTuple):
    """One way to look at a picture."""

    scale: float = 1.0
    flipped: bool = False
    """Left and right exchanged."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) at which a picture is seen."""
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))


WHOLE = View()
"""The picture as it is."""


class Views(Config):
    """Which sizes of a picture are asked about; the papers take 0.5, 0.75, ... 1.75 and the flip (arXiv:1802.02611)."""

    scales: Annotated[tuple[Annotated[float, Field(ge=0.1, le=8)], ...], Field(min_length=1, max_length=16)] = (1.0,)
    flip: bool = False
    """Whether each size is seen mirrored, too."""

    @field_validator("scales")
    @classmethod
    def _each_once(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) < len(scales):
            raise ValueError("a scale stands there twice: name each once")
        return scales

    def __iter__(self) -> Iterator[View]:  # type: ignore[override]  # pydantic's would yield fields
        """One view after the other; the first is the network's plain answer where 1 is the first scale."""
        for scale in self.scales:
            yield View(scale)
            if self.flip:
                yield View(scale, flipped=True)

    @property
    def words(self) -> str:
        """What a protocol says of them."""
        scales = ", ".join(f"{scale:g}" for scale in self.scales)
        sizes = "one scale" if self.scales == (1.0,) else f"scale{'s' * (len(self.scales) > 1)} {scales}"
        return f"{sizes}, {'with' if self.flip else 'no'} flip"


PLAIN = Views()
"""The picture itself, once."""


class Answer(NamedTuple):
    """What a network says to one view."""

    logits: NDArray[np.float32]
    """float32 [K, h, w], at the network's own resolution, as it saw the picture."""
    flipped: bool = False


def mean_probabilities(
    answers: Sequence[Answer],
    size: tuple[int, int],
    resize: "ResizeMode",
    rows: slice = ALL,
    columns: slice = ALL,
) -> NDArray[np.float32]:
    """Enlarge each answer's logits to the picture, and average the probabilities that follow from them.

    Args:
        answers: Of the same picture.
        size: (height, width) of the picture.
        resize: How logits are enlarged.
        rows: Which rows of the picture are wanted; the others cost nothing.
        columns: Likewise.

    Returns:
        float32 [K, H, W] of these rows and columns; the K values of a pixel sum to 1.
    """
    average = _Average(answers, size, resize, rows, columns)
    return np.ascontiguousarray(average.rows(0, average.height).transpose(2, 0, 1))


def mean_mask(
    answers: Sequence[Answer],
    size: tuple[int, int],
    resize: "ResizeMode",
    dtype: type[np.uint8] | type[np.uint16],
) -> Mask:
    """The most probable class of each pixel, as `mean_probabilities` says, in little memory: uint8 or uint16 [H, W]."""
    average = _Average(answers, size, resize)
    mask: Mask = np.empty(size, dtype)
    for start in range(0, size[0], BAND):
        mask[start : start + BAND] = average.rows(start, min(start + BAND, size[0])).argmax(axis=2)
    return mask


def mean_confidence(
    answers: Sequence[Answer], size: tuple[int, int], resize: "ResizeMode", step: int
) -> NDArray[np.float32]:
    """The largest of the `mean_probabilities` of each pixel in every so many rows and columns, in little memory.

    Returns:
        float32 [ceil(H / step), ceil(W / step)].
    """
    some = slice(None, None, step)
    average = _Average(answers, size, resize, some, some)
    confidence = np.empty((average.height, average.width), np.float32)
    for start in range(0, len(confidence), BAND):
        confidence[start : start + BAND] = average.rows(start, min(start + BAND, len(confidence))).max(axis=2)
    return confidence


class _Average:
    """All answers, laid under the pixels of the picture: of all rows and columns, or of some."""

    def __init__(
        self,
        answers: Sequence[Answer],
        size: tuple[int, int],
        resize: "ResizeMode",
        rows: slice = ALL,
        columns: slice = ALL,
    ) -> None:
        self.height, self.width = len(range(size[0])[rows]), len(range(size[1])[columns])
        self.layers = [_layer(answer, size, resize, rows, columns) for answer in answers]

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """float32 [stop - start, W, K]: the mean probabilities of some rows."""
        from atrous.inference.averaging import add_probabilities  # with numba

        total = np.zeros((stop - start, self.width, self.layers[0][0].shape[2]), np.float32)
        for layer in self.layers:
            add_probabilities(*layer, start, total)
        total /= np.float32(len(self.layers))
        return total


def _layer(
    answer: Answer, size: tuple[int, int], resize: "ResizeMode", rows: slice, columns: slice
) -> tuple[NDArray[np.float32], ...]:
    """The logits as [h, w, K], and for each wanted row and column of pixels its neighbours and the second's weight."""
    pixels = np.ascontiguousarray(answer.logits.transpose(1, 2, 0), np.float32)
    down = _neighbours(size[0], pixels.shape[0], resize)
    across = _neighbours(size[1], pixels.shape[1], resize)
    if answer.flipped:  # the picture's first column is the last that the network saw
        across = tuple(each[::-1] for each in across)
    places = [*(each[rows] for each in down), *(each[columns] for each in across)]
    return pixels, *map(np.ascontiguousarray, places)


def _neighbours(length: int, count: int, resize: "ResizeMode") -> tuple[NDArray[np.float32], ...]:
    """For each of `length` pixels: the two of `count` logits around it, and the weight of the second."""
    pixels = np.arange(length, dtype=np.float64)
    match resize:
        case "half_pixel":
            position = np.maximum((pixels + 0.5) * count / length - 0.5, 0)
        case "align_corners":
            position = pixels * ((count - 1) / max(length - 1, 1))
        case "asymmetric":
            position = pixels * (count / length)
    first = np.minimum(position.astype(np.int64), count - 1)
    return first, np.minimum(first + 1, count - 1), np.minimum(position - first, 1).astype(np.float32)
