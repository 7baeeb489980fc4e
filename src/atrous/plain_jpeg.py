"""Upright JPEGs in colour, which most pictures are, by OpenCV in two thirds of Pillow's time."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def decode_plain_jpeg(content: bytes) -> NDArray[np.uint8] | None:
    """uint8 [H, W, 3], RGB: the pixels of an upright JPEG in colour; none of any other picture.

    OpenCV and Pillow decode by the same library to the same pixels. What says how it lies, is cut off, or is too large
    is left to Pillow.
    """
    if not content.startswith(b"\xff\xd8\xff") or not content.endswith(b"\xff\xd9") or not _is_plain_color(content):
        return None
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _is_plain_color(content: bytes) -> bool:
    """Whether the markers of a JPEG tell of 8 bits in three colours and of no EXIF (ITU-T T.81, section B.1)."""
    place = 2
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content):
        kind = content[place + 1]
        if kind == 0xE1:  # APP1: EXIF, or XMP
            return False
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # the start of the frame
            if place + 10 > len(content):
                return False
            precision, height, width, colors = struct.unpack_from(">BHHB", content, place + 4)
            return bool(precision == 8 and colors == 3 and 0 < height * width <= (Image.MAX_IMAGE_PIXELS or 0))
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return False
