"""Augmentation: scale, flip and crop as one affine warp that computes only the crop, then colour and blur."""

from typing import Annotated, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrous.config import Config
from atrous.data.samples import Sample
from atrous.labels import LabelSpace

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
    warp = draw_warp(sample.mask.shape, config, random)
    mask = sample.mask.astype(np.promote_types(sample.mask.dtype, labels.mask_dtype), copy=False)
    height, width = config.crop
    flags = cv2.WARP_INVERSE_MAP
    image = cv2.warpAffine(
        sample.image, warp, (width, height), flags=flags | cv2.INTER_LINEAR, borderValue=PADDING_COLOR
    )
    mask = cv2.warpAffine(mask, warp, (width, height), flags=flags | cv2.INTER_NEAREST, borderValue=labels.ignore_index)
    image = jitter_color(np.asarray(image, np.uint8), config, random)
    if random.random() < config.blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(*config.blur_sigma)), np.uint8)
    return Sample(image, mask, sample.name)


def draw_warp(size: tuple[int, ...], config: AugmentationConfig, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw scale, flip and place of the crop.

    The crop lies evenly anywhere in the scaled picture; where the scaled picture is smaller, it lies anywhere in the
    crop. Its place is a whole pixel of the scaled picture, so that at scale 1 no pixel is interpolated.

    Returns:
        float64 [2, 3]: takes the centre (x, y) of a pixel of the crop to its place in the picture.
    """
    height, width = size
    low, high = config.scale
    scale = float(np.exp(random.uniform(np.log(low), np.log(high))))
    top = _draw_offset(scale * height - config.crop[0], random)
    left = _draw_offset(scale * width - config.crop[1], random)
    # Pixel centres lie at halves: x in the crop is (x + left + 0.5) / scale - 0.5 in the picture.
    warp = np.array([[1 / scale, 0, (left + 0.5) / scale - 0.5], [0, 1 / scale, (top + 0.5) / scale - 0.5]])
    if config.flip and random.random() < 0.5:
        warp[0] = -warp[0]
        warp[0, 2] += width - 1
    if config.flip_vertical and random.random() < 0.5:
        warp[1] = -warp[1]
        warp[1, 2] += height - 1
    return warp


def _draw_offset(room: float, random: np.random.Generator) -> int:
    """A whole number from 0 to `room`, which may be negative; each as likely as the others."""
    offset = int(random.random() * (round(abs(room)) + 1))
    return offset if room > 0 else -offset


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
    mean_grey = float(LUMA @ image.reshape(-1, 3).mean(axis=0))
    towards_grey = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    matrix = np.empty((3, 4))
    matrix[:, :3] = brightness * contrast * towards_grey
    matrix[:, 3] = brightness * (1 - contrast) * mean_grey
    return np.asarray(cv2.transform(image, matrix), np.uint8)
