"""Pictures and masks on disk: whatever the file, an image is upright uint8 RGB and a mask holds class indices."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from atrous.errors import AtrousError, ImageError, MaskError
from atrous.files import replacing
from atrous.labels import Color, LabelSpace, Mask
from atrous.orientation import orientation_of, size_of, turned_upright
from atrous.plain_jpeg import decode_plain_jpeg

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".jp2"})
SUFFIXES_IN_WORDS = ", ".join(sorted(IMAGE_SUFFIXES))

# Pillow reads more, but by way of decoders that run other programs (EPS) or that hardly anybody looks after.
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000")
MASK_FORMATS = ("PNG", "BMP", "TIFF", "GIF")  # these keep every value as it was written

# A grey file of 2 or 4 bits per pixel is spread over 0..255 by Pillow: by these factors.
GREY_SPREAD = {"L;2": 85, "L;4": 17}


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
        return np.array(_to_rgb(turned_upright(image), path))


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
        values = np.asarray(turned_upright(image))
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
        upright = turned_upright(image)
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
        return np.array(turned_upright(image).convert("RGB"))


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
        upright = turned_upright(image)
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
        return orientation_of(image)


def read_size(path: str | ReadableFile) -> tuple[int, int]:
    """Read (height, width) of a picture as it is meant to be seen, without decoding its pixels.

    Raises:
        ImageError: If the file is missing or is no picture.
    """
    with _opened(path, ImageError, "picture") as image:
        return size_of(image)


def read_mask_size(path: str | ReadableFile) -> tuple[int, int]:
    """Read (height, width) of a mask, without decoding its pixels.

    Raises:
        MaskError: If the file is missing or is no mask.
    """
    with _opened(path, MaskError, "mask") as image:
        return size_of(image)


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
    """The pixels of an upright JPEG in colour; none of any other picture, and of what cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return decode_plain_jpeg(content)


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
