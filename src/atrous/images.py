"""Pictures and masks on disk: whatever the file, an image is upright uint8 RGB and a mask holds class indices."""

import glob
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from atrous.errors import ImageError, MaskError
from atrous.files import replacing
from atrous.labels import LabelSpace, Mask

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".jp2"})


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture as it is meant to be seen.

    EXIF rotation is applied; grey, palette and CMYK become RGB; what is transparent is laid on white; 16-bit values are
    divided by 257; of an animation the first frame is taken.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ImageError: If the file is missing, is no picture, is cut off, or is too large to be one.
    """
    image = _decode(Path(path), ImageError, "picture")
    try:
        return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(
            f"{path} cannot be read as a colour picture ({error}): save it again as PNG or JPEG."
        ) from None


def read_mask(path: str | Path) -> Mask:
    """Read a mask: the indices of a palette picture, or the values of a grey one of 8 or 16 bits.

    Returns:
        uint8 or uint16 [H, W], exactly the values of the file.

    Raises:
        MaskError: If the file is missing, is cut off, or is a colour picture.
    """
    image = _decode(Path(path), MaskError, "mask")
    if image.mode in ("P", "L", "1"):
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min(initial=0) >= 0 and values.max(initial=0) <= 65535:
            return values.astype(np.uint16)
    raise MaskError(
        f"{path} is a picture of mode {image.mode}; a mask holds one class index per pixel, "
        f"as a palette or grey PNG of 8 or 16 bits. Save the indices and not the colours."
    )


def read_size(path: str | Path) -> tuple[int, int]:
    """Read (height, width) of a picture as it is meant to be seen, without decoding its pixels.

    Raises:
        ImageError: If the file is missing or is no picture.
    """
    with _opened(Path(path), ImageError, "picture") as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # EXIF orientation: these lie on their side
        width, height = image.size
    return (width, height) if turned else (height, width)


def write_mask(path: Path, mask: Mask, labels: LabelSpace) -> None:
    """Write a mask as PNG: with a palette (looks coloured, holds indices), or of 16 bits above 255 classes.

    Raises:
        OutputError: If the place cannot be written.
    """
    if labels.mask_dtype is np.uint16:
        image = Image.fromarray(mask.astype(np.uint16))
    else:
        image = Image.fromarray(mask.astype(np.uint8))
        image.putpalette(labels.color_table.tobytes())
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write uint8 RGB [H, W, 3] as JPEG (quality 95, no chroma subsampling) or, by its suffix, as anything else.

    Raises:
        OutputError: If the place cannot be written.
        ValueError: If the suffix names no picture format.
    """
    suffix = path.suffix.lower()
    picture_format = Image.registered_extensions().get(suffix)
    if picture_format is None:
        raise ValueError(f"{path.name!r} names no picture format; .png and .jpg do")
    options = {"quality": 95, "subsampling": 0} if picture_format == "JPEG" else {}
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, format=picture_format, **options)


def find_images(inputs: Iterable[str | Path]) -> list[Path]:
    """The pictures that files, folders (with all folders below them) and glob patterns name, in a stable order.

    Raises:
        ImageError: If an input names nothing, or a folder holds no picture.
    """
    found: list[Path] = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            pictures = images_below(path)
            if not pictures:
                raise ImageError(f"The folder {path} holds no picture ({_suffixes()}): give another one.")
            found += pictures
        elif path.exists():
            found.append(path)
        else:
            matches = sorted(Path(match) for match in glob.glob(str(given), recursive=True))
            if not matches:
                raise ImageError(f"There is no file, folder or pattern {given}: give the path of a picture.")
            found += [match for match in matches if match.is_file()]
    return list(dict.fromkeys(found))


def images_below(folder: Path) -> list[Path]:
    """All pictures in a folder and the folders below it, sorted; hidden files are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _suffixes() -> str:
    return ", ".join(sorted(IMAGE_SUFFIXES))


def _decode(path: Path, error_type: type[ImageError | MaskError], what: str) -> Image.Image:
    with _opened(path, error_type, what) as image:
        try:
            image.load()
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
            raise error_type(f"{path} is damaged or cut off ({error}): get a whole copy of this {what}.") from None
        return image


def _opened(path: Path, error_type: type[ImageError | MaskError], what: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(path)
    except FileNotFoundError:
        raise error_type(f"There is no {what} {path}.") from None
    except IsADirectoryError:
        raise error_type(f"{path} is a folder where a {what} was expected.") from None
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        reason = "is empty" if empty else "is no picture that can be read"
        raise error_type(f"{path} {reason}: a {what} in one of the formats {_suffixes()} was expected.") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise error_type(
            f"{path} unpacks to more than {limit // 10**6} million pixels: cut it into tiles of at most that size."
        ) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise error_type(f"{path} cannot be read ({error}): a {what} was expected.") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise ValueError(f"its values reach from {values.min()} to {values.max()}, outside 16 bits")
        image = Image.fromarray((values // 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("its values are floating-point numbers of no stated range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def unique_stems(paths: Sequence[Path]) -> list[str]:
    """A name for the output of each path, none twice: its stem, or with its suffix and folders where stems collide.

    `a/x.jpg` and `b/y.jpg` give `x` and `y`; `a/x.jpg` and `b/x.png` give `a_x_jpg` and `b_x_png`.
    """
    stems = [path.stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else "_".join((*path.parts[-2:-1], path.name.replace(".", "_")))
        for stem, path in zip(stems, paths, strict=True)
    ]
    taken: dict[str, int] = {}
    unique = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        unique.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return unique
