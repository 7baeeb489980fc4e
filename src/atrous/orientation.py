"""How a picture lies, as its EXIF says, and the same picture upright."""

import os
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ON_ITS_SIDE = (5, 6, 7, 8)


def orientation_of(image: ImageFile) -> int:
    """How the picture lies: EXIF's 1..8, where 1 is upright; 1 too where nothing is said or it cannot be read."""
    try:
        if isinstance(image, PngImageFile) and not _metadata_follows_pixels(image):
            # Its own `getexif` would unpack the pixels to look behind them.
            orientation: int = Image.Image.getexif(image).get(ORIENTATION, 1)
        else:
            orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # the EXIF is damaged, the pixels are not
        return 1
    return orientation


def size_of(image: ImageFile) -> tuple[int, int]:
    """(height, width) of a picture as it is meant to be seen, without decoding its pixels."""
    width, height = image.size
    turned_by_pillow = isinstance(image, TiffImageFile) and image.tag_v2.get(ORIENTATION) in ON_ITS_SIDE
    on_its_side = orientation_of(image) in ON_ITS_SIDE and not turned_by_pillow
    return (width, height) if on_its_side else (height, width)


def turned_upright(image: ImageFile) -> Image.Image:
    """The picture as it is meant to be seen."""
    turn = UPRIGHT.get(orientation_of(image))
    return image if turn is None else image.transpose(turn)


def turned(pixels: NDArray[np.uint8 | np.uint16], orientation: int) -> NDArray[np.uint8 | np.uint16]:
    """Return [H, W, ...] as it is seen once EXIF's orientation, 1..8, is applied to it."""
    if orientation in ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def _metadata_follows_pixels(image: PngImageFile) -> bool:
    """Whether a PNG that is still packed has a chunk behind its pixels that can hold EXIF."""
    if image.fp is None:
        return False
    kinds: set[bytes] = set()
    position = image.fp.tell()
    image.fp.seek(len(b"\x89PNG\r\n\x1a\n"))
    while len(head := image.fp.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        kinds = {kind} if kind == b"IDAT" else kinds | {kind}
        image.fp.seek(length + len(b"CRC!"), os.SEEK_CUR)
    image.fp.seek(position)
    return bool(kinds & {b"eXIf", b"iTXt", b"zTXt"})
