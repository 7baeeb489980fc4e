"""Masks made visible: in colour, over the picture, as errors, and side by side with a legend."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from atrous.labels import Color, LabelSpace, Mask

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WRONG_COLOR: Color = (255, 45, 60)
HATCH_COLOR: Color = (190, 190, 190)
PAPER: Color = (255, 255, 255)
INK: Color = (31, 35, 40)
OUTLINE: Color = (140, 146, 156)  # keeps white swatches visible on white paper


class Panel(NamedTuple):
    """A picture, uint8 [H, W, 3], and the words above it; without words the picture stands alone."""

    caption: str
    image: NDArray[np.uint8]


def colorize(mask: Mask, labels: LabelSpace) -> NDArray[np.uint8]:
    """The mask in the colours of its classes.

    Args:
        mask: uint8 or uint16 [H, W].
        labels: Gives the colours; a value that is no class has the ignore colour.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    return labels.color_table.take(mask, axis=0, mode="clip")  # the table ends with the ignore colour


def overlay(image: NDArray[np.uint8], mask: Mask, labels: LabelSpace, opacity: float = 0.5) -> NDArray[np.uint8]:
    """The picture under its mask, with darker lines where classes meet; ignored pixels stay the picture.

    Args:
        image: uint8 [H, W, 3], RGB.
        mask: uint8 or uint16 [H, W].
        labels: Gives the colours.
        opacity: From 0 (only the picture) to 1 (only the mask).

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: If the sizes differ or the opacity is outside 0..1.
    """
    _require_same_size(image, mask)
    if not 0 <= opacity <= 1:
        raise ValueError(f"an opacity lies between 0 and 1, not at {opacity}")
    painted = cv2.addWeighted(image, 1 - opacity, colorize(mask, labels), opacity, 0)
    lines = _boundaries(mask)
    painted[lines] //= 2
    return np.where(_is_class(mask, labels)[..., None], painted, image)


def error_map(image: NDArray[np.uint8], truth: Mask, prediction: Mask, labels: LabelSpace) -> NDArray[np.uint8]:
    """The picture in dim grey, with wrong pixels in red and ignored pixels hatched.

    Args:
        image: uint8 [H, W, 3], RGB.
        truth: uint8 or uint16 [H, W]; values that are no class are ignored.
        prediction: uint8 or uint16 [H, W].
        labels: Says which values are classes.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: If the sizes differ.
    """
    _require_same_size(image, truth, prediction)
    counted = _is_class(truth, labels)
    errors = _dim_grey(image)
    errors[counted & (truth != prediction)] = WRONG_COLOR
    errors[~counted & _hatching(truth.shape)] = HATCH_COLOR
    return errors


def hatch_ignored(image: NDArray[np.uint8], mask: Mask, labels: LabelSpace) -> NDArray[np.uint8]:
    """The picture with hatching over all pixels that are no class.

    Args:
        image: uint8 [H, W, 3], RGB.
        mask: uint8 or uint16 [H, W].
        labels: Says which values are classes.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: If the sizes differ.
    """
    _require_same_size(image, mask)
    hatched = image.copy()
    hatched[~_is_class(mask, labels) & _hatching(mask.shape)] = HATCH_COLOR
    return hatched


def side_by_side(rows: Sequence[Sequence[Panel]], legend: LabelSpace) -> NDArray[np.uint8]:
    """One picture of many: rows of captioned panels, with the classes and their colours underneath.

    Text is drawn in Pillow's own font, which knows Latin letters; text that is wider than its place is shortened.

    Args:
        rows: At least one panel in each; the panels of one row have one size.
        legend: The classes to name, in this order.

    Returns:
        uint8 [H, W, 3], RGB, on white.

    Raises:
        ValueError: If the sizes in a row differ, or there is no panel to draw.
    """
    if not rows or not all(rows):
        raise ValueError("side_by_side needs at least one picture in every row")
    for row in rows:
        _require_same_size(*(panel.image for panel in row))
    font_size = int(np.clip(max(row[0].image.shape[1] for row in rows) // 24, 12, 32))
    strips = [_strip(row, font_size) for row in rows]
    width = max(strip.width for strip in strips)
    return np.asarray(_stack([*strips, _legend(legend, width, font_size)], margin=font_size))


def _require_same_size(first: NDArray[np.generic], *others: NDArray[np.generic]) -> None:
    for other in others:
        if other.shape[:2] != first.shape[:2]:
            raise ValueError(f"sizes differ (height, width): {first.shape[:2]} and {other.shape[:2]}")


def _is_class(mask: Mask, labels: LabelSpace) -> NDArray[np.bool_]:
    return mask < np.intp(labels.num_classes)


def _boundaries(mask: Mask) -> NDArray[np.bool_]:
    """Where classes meet, bool [H, W]; one pixel wide, and wider in large pictures so that it is seen when shrunk."""
    width = 1 + max(mask.shape) // 1000
    around = np.ones((width + 1, width + 1), np.uint8)
    lines: NDArray[np.bool_] = cv2.dilate(mask, around) != cv2.erode(mask, around)
    return lines


def _dim_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat((grey * 0.45 + 20).astype(np.uint8)[..., None], 3, axis=2)


def _hatching(size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Diagonal lines, bool [H, W]; wider in large pictures."""
    width = 1 + max(size) // 500
    rows, columns = np.ogrid[: size[0], : size[1]]
    stripes: NDArray[np.bool_] = (rows + columns) // width % 5 == 0
    return stripes


def _strip(panels: Sequence[Panel], font_size: int) -> Image.Image:
    height, width = panels[0].image.shape[:2]
    gap = font_size // 2
    text_height = 2 * font_size if any(panel.caption for panel in panels) else 0
    strip = Image.new("RGB", (len(panels) * (width + gap) - gap, text_height + height), PAPER)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(font_size)
    for index, panel in enumerate(panels):
        left = index * (width + gap)
        caption = _shortened(panel.caption, width, font)
        draw.text((left + width / 2, text_height / 2 - font_size / 8), caption, INK, font, anchor="mm")
        strip.paste(Image.fromarray(panel.image), (left, text_height))
    return strip


def _legend(labels: LabelSpace, width: int, font_size: int) -> Image.Image:
    font = ImageFont.load_default(font_size)
    line_height = round(1.7 * font_size)
    names = [_shortened(name, width - round(1.5 * font_size), font) for name in labels.names]
    places = _wrapped([font.getlength(name) + 3 * font_size for name in names], width + 1.5 * font_size)
    legend = Image.new("RGB", (width, (places[-1][1] + 1) * line_height), PAPER)
    draw = ImageDraw.Draw(legend)
    for name, color, (left, line) in zip(names, labels.colors, places, strict=True):
        middle = line * line_height + line_height / 2
        swatch = (left, middle - font_size / 2, left + font_size, middle + font_size / 2)
        draw.rounded_rectangle(swatch, font_size // 4, fill=color, outline=OUTLINE)
        draw.text((left + 1.5 * font_size, middle), name, INK, font, anchor="lm")
    return legend


def _wrapped(widths: Sequence[float], limit: float) -> list[tuple[float, int]]:
    """(left, line) of each entry, filled line by line."""
    places = []
    left, line = 0.0, 0
    for width in widths:
        if left > 0 and left + width > limit:
            left, line = 0.0, line + 1
        places.append((left, line))
        left += width
    return places


def _stack(strips: Sequence[Image.Image], margin: int) -> Image.Image:
    gap = margin // 2
    width = max(strip.width for strip in strips) + 2 * margin
    height = sum(strip.height + gap for strip in strips) - gap + 2 * margin
    sheet = Image.new("RGB", (width, height), PAPER)
    top = margin
    for strip in strips:
        sheet.paste(strip, (margin, top))
        top += strip.height + gap
    return sheet


def _shortened(text: str, width: float, font: Font) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
