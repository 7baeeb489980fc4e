"""Pictures and masks on disk: whatever the file, an image is upright uint8 RGB and a mask holds class indices."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from atrous.errors import AtrousError, ImageError, MaskError
from atrous.files import replacing
from atrous.labels import Color, LabelSpace, Mask

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".jp2"})
SUFFIXES_IN_WORDS = ", ".join(sorted(IMAGE_SUFFIXES))

# Pillow reads more, but by way of decoders that run other programs (EPS) or that hardly anybody looks after.
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000")
MASK_FORMATS = ("PNG", "BMP", "TIFF", "GIF")  # these keep every value as it was written

# A grey file of 2 or 4 bits per pixel is spread over 0..255 by Pillow: by these factors.
GREY_SPREAD = {"L;2": 85, "L;4": 17}

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


class ReadableFile(Protocol):
    """A path, or a file inside an archive; `str` of it names it for messages."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """Open its content.

        Raises:
            OSError: If it is not there or cannot be read.
        """

    @property
    def name(self) -> str:
        """The last part of its path."""

    @property
    def stem(self) -> str:
        """The last part of its path without the suffix."""


def read_image(path: str | ReadableFile) -> NDArray[np.uint8]:
    """Read a picture as it is meant to be seen.

    EXIF rotation is applied; grey, palette and CMYK become RGB; what is transparent is laid on white; of 16-bit values
    the upper byte is taken; of an animation the first frame.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ImageError: If the file is missing, is no picture, is cut off, or is too large to be one.
    """
    plain = _plain_jpeg(Path(path) if isinstance(path, str) else path)
    if plain is not None:
        return plain
    with _opened(path, ImageError, "picture") as image:
        image.load()
        return np.array(_to_rgb(_turned_upright(image), path))


def read_mask(path: str | ReadableFile) -> Mask:
    """Read a mask: the indices of a palette picture, or the values of a grey one of 1, 2, 4, 8 or 16 bits.

    Like a picture it is turned upright if it says that it lies on its side.

    Returns:
        uint8 or uint16 [H, W], exactly the values of the file.

    Raises:
        MaskError: If the file is missing, is cut off, is a colour picture, or is of a format that changes values.
    """
    with _opened(path, MaskError, "mask") as image:
        if image.format not in MASK_FORMATS:
            raise MaskError(
                f"{path} is a {image.format} file, which need not keep class indices as they are: "
                f"save the indices as PNG."
            )
        spread = _grey_spread(image)
        image.load()
        values = np.asarray(_turned_upright(image))
        if image.mode in ("P", "L", "1"):
            return values.astype(np.uint8) // np.uint8(spread)
        if image.mode.startswith("I") and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
            return values.astype(np.uint16)
        raise MaskError(
            f"{path} is a picture of mode {image.mode}, but a mask holds one class index per pixel: "
            f"save the indices, and not their colours, as a palette or grey PNG of 8 or 16 bits."
        )


def read_bits(path: str | ReadableFile) -> NDArray[np.bool_]:
    """Read a picture of one object: its pixels are those that are not transparent, or else not black.

    Returns:
        bool [H, W]

    Raises:
        MaskError: If the file is missing, is cut off, or is of a format that changes values.
    """
    with _opened(path, MaskError, "mask") as image:
        if image.format not in MASK_FORMATS:
            raise MaskError(f"{path} is a {image.format} file, which blurs the edges of objects: save it as PNG.")
        image.load()
        upright = _turned_upright(image)
        if upright.has_transparency_data:
            alpha = np.asarray(upright.convert("RGBA"))[..., 3]
            if alpha.min(initial=255) < 255:
                return alpha > 0
            upright = upright.convert("RGB")
        values = np.asarray(upright)
        return np.asarray(values != 0 if values.ndim == 2 else values.any(axis=2), np.bool_)


def read_mask_colors(path: str | ReadableFile) -> NDArray[np.uint8]:
    """Read a mask whose classes are colours and not indices; a palette gives its colours.

    Returns:
        uint8 [H, W, 3], RGB, exactly the colours of the file; transparency is left out.

    Raises:
        MaskError: If the file is missing, is cut off, or is of a format that changes colours.
    """
    with _opened(path, MaskError, "mask") as image:
        if image.format not in MASK_FORMATS:
            raise MaskError(
                f"{path} is a {image.format} file, which blurs the colours of classes into others: save it as PNG."
            )
        image.load()
        return np.array(_turned_upright(image).convert("RGB"))


def read_mask_palette(path: str | ReadableFile) -> dict[int, Color]:
    """Read the colours of a palette mask by its values; there are none where it has no palette.

    Raises:
        MaskError: If the file is missing or is no mask.
    """
    with _opened(path, MaskError, "mask") as image:
        flat = image.getpalette("RGB") if image.mode == "P" else None
        colors = zip(*[iter(flat or [])] * 3, strict=False)
        return {value: (red, green, blue) for value, (red, green, blue) in enumerate(colors)}


class PictureAsIs(NamedTuple):
    """What a file holds, whether or not it is fit to be a mask."""

    pixels: NDArray[np.uint8 | np.uint16]
    """[H, W] of indices or grey values as `read_mask` gives them, or uint8 [H, W, 3] of colours; upright."""
    format: str
    """Pillow's name of the format, such as `PNG`."""
    palette: NDArray[np.uint8] | None
    """uint8 [N, 3]: the colour that the palette of the file gives to each index."""

    @property
    def keeps_values(self) -> bool:
        """Whether the format keeps every value as it was written."""
        return self.format in MASK_FORMATS


def read_as_is(path: str | ReadableFile) -> PictureAsIs:
    """Read a file that should be a mask and need not be one: of any format, in indices or in colours.

    Raises:
        MaskError: If the file is missing, is no picture, or is cut off.
    """
    with _opened(path, MaskError, "mask") as image:
        spread, picture_format = _grey_spread(image), str(image.format)
        image.load()
        upright = _turned_upright(image)
        values = np.asarray(upright)
        if image.mode in ("P", "L", "1"):
            palette = image.getpalette("RGB") if image.mode == "P" else None
            colors = None if palette is None else np.array(palette, np.uint8).reshape(-1, 3)
            return PictureAsIs(values.astype(np.uint8) // np.uint8(spread), picture_format, colors)
        if image.mode.startswith("I") and values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
            return PictureAsIs(values.astype(np.uint16), picture_format, None)
        return PictureAsIs(np.array(_to_rgb(upright, path)), picture_format, None)


def read_orientation(path: str | ReadableFile) -> int:
    """Read how EXIF says that a picture lies: 1..8, where 1 is upright; 1 too where nothing is said.

    Raises:
        ImageError: If the file is missing or is no picture.
    """
    with _opened(path, ImageError, "picture") as image:
        return _orientation(image)


def turned(pixels: NDArray[np.uint8 | np.uint16], orientation: int) -> NDArray[np.uint8 | np.uint16]:
    """Return [H, W, ...] as it is seen once EXIF's orientation, 1..8, is applied to it."""
    if orientation in ON_ITS_SIDE:
        pixels = pixels.swapaxes(0, 1)
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def read_size(path: str | ReadableFile) -> tuple[int, int]:
    """Read (height, width) of a picture as it is meant to be seen, without decoding its pixels.

    Raises:
        ImageError: If the file is missing or is no picture.
    """
    with _opened(path, ImageError, "picture") as image:
        return _size(image)


def read_mask_size(path: str | ReadableFile) -> tuple[int, int]:
    """Read (height, width) of a mask, without decoding its pixels.

    Raises:
        MaskError: If the file is missing or is no mask.
    """
    with _opened(path, MaskError, "mask") as image:
        return _size(image)


def write_mask(path: Path, mask: Mask, labels: LabelSpace) -> None:
    """Write a mask as PNG: with a palette (looks coloured, holds indices), or of 16 bits above 255 classes.

    Raises:
        OutputError: If the place cannot be written.
        ValueError: If a value is larger than the ignore value, so that the file could not hold it.
    """
    image = mask_picture(mask, labels)
    with replacing(path, flush=False) as temporary:
        image.save(temporary, format="PNG")


def mask_picture(mask: Mask, labels: LabelSpace) -> Image.Image:
    """Return a mask as a picture with a palette (looks coloured, holds indices), or of 16 bits above 255 classes.

    Raises:
        ValueError: If a value is larger than the ignore value, so that no file could hold it.
    """
    largest = int(mask.max(initial=0))
    if largest > labels.ignore_index:
        raise ValueError(f"the mask's value {largest} is larger than the ignore value {labels.ignore_index}")
    if labels.mask_dtype is np.uint16:
        return Image.fromarray(mask.astype(np.uint16))
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(labels.color_table.tobytes())
    return image


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write uint8 RGB [H, W, 3] as JPEG (quality 95, no chroma subsampling) or, by its suffix, as anything else.

    Raises:
        OutputError: If the place cannot be written.
        ValueError: If the suffix names no picture format.
    """
    suffix = path.suffix.lower()
    picture_format = Image.registered_extensions().get(suffix)
    if picture_format not in Image.SAVE:
        raise ValueError(f"{path.name!r} names no picture format; .png and .jpg do")
    options = {"quality": 95, "subsampling": 0} if picture_format == "JPEG" else {}
    with replacing(path, flush=False) as temporary:
        Image.fromarray(image).save(temporary, format=picture_format, **options)


@contextmanager
def _opened(given: str | ReadableFile, error_type: type[ImageError | MaskError], what: str) -> Iterator[ImageFile]:
    """Open a file whose pixels are still packed; whatever goes wrong until the block ends becomes one sentence."""
    path = Path(given) if isinstance(given, str) else given
    empty = False
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
            file.seek(0)
            with Image.open(file, formats=IMAGE_FORMATS) as image:
                yield image
    except AtrousError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise error_type(f"There is no {what} {path}: give the path of one.") from None
    except IsADirectoryError:
        raise error_type(f"{path} is a folder where a {what} was expected: give the path of a file.") from None
    except UnidentifiedImageError:
        reason = "is empty" if empty else "is no picture that can be read"
        raise error_type(f"{path} {reason}: give a {what} in one of the formats {SUFFIXES_IN_WORDS}.") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise error_type(f"{path} unpacks to more than {limit} million pixels: cut it into smaller tiles.") from None
    except Exception as error:  # damaged bytes make decoders raise anything: struct.error, KeyError, OverflowError, ...
        if isinstance(error, OSError) and error.strerror:
            raise error_type(f"{path} cannot be read ({error.strerror}): give another {what}.") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_type(f"{path} is damaged or cut off ({reason}): get a whole copy of this {what}.") from None


def _plain_jpeg(path: ReadableFile) -> NDArray[np.uint8] | None:
    """The pixels of an upright JPEG in colour, by OpenCV, in two thirds of the time; none of any other picture.

    Both decode by the same library to the same pixels. What says how it lies, is cut off, or is too large is left to
    Pillow, and so is what cannot be read, for its sentence.
    """
    try:
        with path.open("rb") as file:
            content = file.read()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
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


def _size(image: ImageFile) -> tuple[int, int]:
    width, height = image.size
    turned_by_pillow = isinstance(image, TiffImageFile) and image.tag_v2.get(ORIENTATION) in ON_ITS_SIDE
    turned = _orientation(image) in ON_ITS_SIDE and not turned_by_pillow
    return (width, height) if turned else (height, width)


def _turned_upright(image: ImageFile) -> Image.Image:
    turn = UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: ImageFile) -> int:
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


def _grey_spread(image: ImageFile) -> int:
    arguments = image.tile[0].args if image.tile else None
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return GREY_SPREAD.get(str(raw_mode), 1)


def _to_rgb(image: Image.Image, path: str | ReadableFile) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise _no_colours(path, f"its values reach from {values.min()} to {values.max()}, outside 16 bits")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise _no_colours(path, "its values are floating-point numbers of no stated range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _no_colours(path: str | ReadableFile, reason: str) -> ImageError:
    return ImageError(f"{path} cannot be read as a colour picture ({reason}): save it again as PNG or JPEG.")
