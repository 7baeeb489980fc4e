"""Pictures made small enough to live inside a page, with a ring around the pixel that matters."""

import base64
import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH = 360  # pixels of the longer side
RING = 7  # pixels of its radius
WHITE, RED = (255, 255, 255), (255, 45, 60)


def picture_uri(picture: NDArray[np.uint8], pixel: tuple[int, int] | None = None, *, blurs: bool = True) -> str:
    """A data URI of a picture, shrunk to the width of a page's column.

    Args:
        picture: uint8 [H, W, 3], RGB.
        pixel: (x, y) of the pixel to put a ring around.
        blurs: Whether shrinking may mix colours; those of classes stay what they are.
    """
    height, width = picture.shape[:2]
    factor = min(1.0, WIDTH / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if blurs else cv2.INTER_NEAREST_EXACT)
    if pixel is not None:
        place = round((pixel[0] + 0.5) * factor), round((pixel[1] + 0.5) * factor)
        for color, thickness in ((WHITE, 4), (RED, 2)):
            cv2.circle(small, place, RING, color, thickness, cv2.LINE_AA)
    buffer = io.BytesIO()
    if blurs:
        Image.fromarray(small).save(buffer, "JPEG", quality=82)
    else:
        Image.fromarray(small).save(buffer, "PNG")
    kind = "jpeg" if blurs else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
