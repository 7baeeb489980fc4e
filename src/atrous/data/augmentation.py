"""Augmentation: scale, crop and flip, of which only the crop is computed; then colour and blur."""

from typing import Annotated, Any, NamedTuple, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrous.config import Config
from atrous.data.samples import Sample
from atrous.labels import LabelSpace

T = TypeVar("T", bound=np.generic)
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1, le=65536)]
Sigma = Annotated[float, Field(gt=0, le=100)]

PADDING_COLOR = (124, 116, 104)
"""ImageNet's mean colour, RGB: next to nothing after the network's normalisation."""

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""


class AugmentationConfig(Config):
    """What may happen to a training picture; the defaults are the scale, flip and crop of the DeepLab papers."""

    crop: tuple[Size, Size]
    """(height, width) in pixels of what the network sees; a smaller picture is padded, its padding ignored."""
    scale: tuple[Positive, Positive] = (0.5, 2.0)
    """The smallest and the largest factor of the random scale, drawn evenly on a logarithmic axis."""
    flip: bool = True
    """Mirror left and right, in half of the cases."""
    flip_vertical: bool = False
    """Turn upside down, in half of the cases; for pictures without an up, such as those from above."""
    brightness: Share = 0.0
    """The brightness is multiplied by 1 ± up to this."""
    contrast: Share = 0.0
    """The distance to the mean grey is multiplied by 1 ± up to this."""
    saturation: Share = 0.0
    """The distance to each pixel's own grey is multiplied by 1 ± up to this."""
    blur: Share = 0.0
    """How often the crop is blurred by a Gaussian."""
    blur_sigma: tuple[Sigma, Sigma] = (0.5, 1.5)
    """The smallest and the largest standard deviation of the blur, in pixels."""

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for name in ("scale", "blur_sigma"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"`{name}` runs from {low} down to {high}; give the smaller value first")
        return self


def augment(sample: Sample, config: AugmentationConfig, labels: LabelSpace, random: np.random.Generator) -> Sample:
    """Draw one random view of a sample.

    Args:
        sample: A picture and its mask, of any size.
        config: What may happen.
        labels: Whose ignore value marks the padding.
        random: The only source of chance.

    Returns:
        A sample of the crop's size; its mask holds only values of the old mask and the ignore value, and is uint16
        where that does not fit into 8 bits.
    """
    view = draw_view(sample.mask.shape, config, random)
    mask = sample.mask.astype(np.promote_types(sample.mask.dtype, labels.mask_dtype), copy=False)
    image = _seen(sample.image, view, config.crop, cv2.INTER_LINEAR, PADDING_COLOR)
    mask = _seen(mask, view, config.crop, cv2.INTER_NEAREST_EXACT, labels.ignore_index)
    image = jitter_color(image, config, random)
    if random.random() < config.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(*config.blur_sigma)), np.uint8)
    return Sample(image, mask, sample.name)


class Span(NamedTuple):
    """Along one axis: which pixels of the picture are seen, and which of the crop show them."""

    source: slice
    target: slice
    mirrored: bool


class View(NamedTuple):
    """What of a picture is seen, and where in the crop."""

    rows: Span
    columns: Span


def draw_view(size: tuple[int, ...], config: AugmentationConfig, random: np.random.Generator) -> View:
    """Draw scale, place of the crop, and flip.

    The crop shows a window of the picture of crop / scale pixels, rounded to whole ones, so that at scale 1 no pixel is
    interpolated. It lies evenly anywhere in the picture; a picture that is smaller lies evenly anywhere in the crop.
    """
    low, high = config.scale
    scale = float(np.exp(random.uniform(np.log(low), np.log(high))))
    rows, columns = (_draw_span(side, crop, scale, random) for side, crop in zip(size, config.crop, strict=True))
    if config.flip and random.random() < 0.5:
        columns = columns._replace(mirrored=True)
    if config.flip_vertical and random.random() < 0.5:
        rows = rows._replace(mirrored=True)
    return View(rows, columns)


def _draw_span(side: int, crop: int, scale: float, random: np.random.Generator) -> Span:
    window = max(1, round(crop / scale))
    if side >= window:
        start = int(random.random() * (side - window + 1))
        return Span(slice(start, start + window), slice(0, crop), mirrored=False)
    shown = min(crop, max(1, round(side * crop / window)))
    start = int(random.random() * (crop - shown + 1))
    return Span(slice(0, side), slice(start, start + shown), mirrored=False)


def _seen(pixels: NDArray[T], view: View, crop: tuple[int, int], interpolation: int, padding: Any) -> NDArray[T]:
    """The crop, [*crop] or [*crop, 3], of a picture or a mask."""
    rows, columns = view
    shown = (rows.target.stop - rows.target.start, columns.target.stop - columns.target.start)
    part = pixels[rows.source, columns.source]
    if part.shape[:2] != shown:
        part = cv2.resize(part, shown[::-1], interpolation=interpolation)
    if shown != crop:
        top, left = rows.target.start, columns.target.start
        bottom, right = crop[0] - rows.target.stop, crop[1] - columns.target.stop
        part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT, value=padding)
    if rows.mirrored or columns.mirrored:
        part = cv2.flip(part, _FLIPS[rows.mirrored, columns.mirrored])
    return np.ascontiguousarray(part).reshape(*crop, *pixels.shape[2:])


_FLIPS = {(True, True): -1, (True, False): 0, (False, True): 1}
"""OpenCV's words for upside down and mirrored."""


def jitter_color(
    image: NDArray[np.uint8], config: AugmentationConfig, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Change saturation, contrast and brightness, in this order, as one 3x4 matrix over RGB.

    Returns:
        uint8 [H, W, 3]; values that leave 0..255 are clipped once, at the end.
    """
    brightness, contrast, saturation = (
        1 + random.uniform(-amount, amount) for amount in (config.brightness, config.contrast, config.saturation)
    )
    if brightness == contrast == saturation == 1:
        return image
    mean_grey = float(LUMA @ np.array(cv2.mean(image)[:3]))  # numpy's mean takes ten times as long as all the rest
    towards_grey = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    matrix = np.empty((3, 4))
    matrix[:, :3] = brightness * contrast * towards_grey
    matrix[:, 3] = brightness * (1 - contrast) * mean_grey
    return np.asarray(cv2.transform(image, matrix), np.uint8)
