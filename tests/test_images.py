import io
import itertools
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from atrous import images
from atrous.errors import AtrousError, ImageError, MaskError, OutputError
from atrous.images import read_image, read_mask, read_mask_size, read_size, write_image, write_mask
from atrous.labels import LabelSpace
from atrous.picture_paths import find_images, images_below, unique_stems
from tests.real import REAL, real

Array = NDArray[Any]

READERS: list[Callable[[Path], object]] = [read_image, read_mask, read_size, read_mask_size]


@pytest.fixture(autouse=True)
def _no_file_stays_open() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []


def noise(*shape: int, seed: int = 0, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> Array:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color_type: int, rows: list[bytes], *more: bytes) -> bytes:
    """A PNG byte by byte, for kinds that no library here writes; `more` chunks stand behind the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), *more, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refusal(read: Callable[[Path], object], path: Path) -> str:
    expected = ImageError if read in (read_image, read_size) else MaskError
    with pytest.raises(AtrousError) as error:
        read(path)
    assert type(error.value) is expected
    assert error.value.__cause__ is None
    text = str(error.value)
    assert str(path) in text
    assert ": " in text, "says what to do"
    assert text.endswith(".")
    assert "\n" not in text
    return text


# How a file has to store a picture that is to be seen upright, for each EXIF orientation.
STORED: dict[int, Callable[[Array], Array]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def save_lying(path: Path, upright: Array, orientation: int, **options: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))).save(path, exif=exif, **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a.tif", {}), ("a.tiff", {"compression": "tiff_lzw"}), ("a.webp", {"lossless": True})],
)
@pytest.mark.parametrize("shape", [(5, 7, 3), (7, 5, 3)], ids=["landscape", "portrait"])
def test_a_picture_is_read_upright_however_it_lies_in_its_file(
    tmp_path: Path, orientation: int, name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    upright = noise(*shape)
    save_lying(tmp_path / name, upright, orientation, **options)
    np.testing.assert_array_equal(read_image(tmp_path / name), upright)
    assert read_size(tmp_path / name) == shape[:2]


@pytest.mark.parametrize("orientation", STORED)
def test_a_lying_jpeg_is_turned_as_pillow_turns_it(tmp_path: Path, orientation: int) -> None:
    upright = cv2.resize(noise(2, 3, 3), (48, 32))
    save_lying(tmp_path / "a.jpg", upright, orientation, quality=100, subsampling=0)
    with Image.open(tmp_path / "a.jpg") as theirs:
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.asarray(ImageOps.exif_transpose(theirs)))
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").astype(int), upright, atol=4)
    assert read_size(tmp_path / "a.jpg") == (32, 48)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_is_turned_like_the_picture_it_belongs_to(
    tmp_path: Path, orientation: int, name: str, dtype: type[np.unsignedinteger[Any]]
) -> None:
    upright = noise(5, 7, dtype=dtype)
    save_lying(tmp_path / name, upright, orientation)
    mask = read_mask(tmp_path / name)
    assert mask.dtype == dtype
    np.testing.assert_array_equal(mask, upright)
    assert read_mask_size(tmp_path / name) == (5, 7)


def exif_bytes(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    stored = noise(2, 3, 3)
    rows = [row.tobytes() for row in stored]
    path = written(tmp_path / "a.png", png(3, 2, 8, 2, rows, chunk(b"eXIf", exif_bytes(6))))
    np.testing.assert_array_equal(read_image(path), np.rot90(stored, -1))
    assert read_size(path) == (3, 2)


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_an_orientation_in_xmp_counts_for_the_pixels_and_for_the_size_alike(tmp_path: Path, name: str) -> None:
    stored = Image.fromarray(noise(2, 3, 3))
    if name == "a.png":
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode())
        written(tmp_path / name, png(3, 2, 8, 2, [row.tobytes() for row in noise(2, 3, 3)], text))
    elif name == "a.tif":
        stored.save(tmp_path / name, tiffinfo={700: XMP.encode()})
    else:
        stored.save(tmp_path / name, xmp=XMP.encode())
    assert read_image(tmp_path / name).shape == (3, 2, 3)
    assert read_size(tmp_path / name) == (3, 2)


@pytest.mark.parametrize(
    "exif", [b"", b"MM\0*", b"II*\0\xff\xff\xff\xff", b"nonsense", exif_bytes(6)[:-6], exif_bytes(77)]
)
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path, exif: bytes) -> None:  # fmt: skip
    picture = noise(5, 7, 3)
    Image.fromarray(picture).save(tmp_path / "a.png", exif=b"Exif\0\0" + exif)
    with warnings.catch_warnings(action="ignore"):
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
        assert read_size(tmp_path / "a.png") == (5, 7)


def test_the_size_of_a_png_is_read_without_unpacking_it(tmp_path: Path) -> None:
    whole = png(4000, 3000, 8, 0, [bytes(4000)] * 3000)
    path = written(tmp_path / "a.png", whole[:60] + whole[-12:])
    assert read_size(path) == read_mask_size(path) == (3000, 4000)
    refusal(read_image, path)


RED, WHITE = (255, 0, 0), (255, 255, 255)
HALF_RED = (255, 127, 127)


def with_alpha(mode: str, color: tuple[int, ...]) -> Image.Image:
    """Three pixels of one colour: opaque, half transparent, transparent."""
    picture = Image.new(mode, (3, 1), color)
    picture.putalpha(Image.frombytes("L", (3, 1), bytes([255, 128, 0])))
    return picture


def palette(transparency: int | bytes | None) -> bytes:
    picture = Image.new("P", (3, 1))
    picture.putpalette([*RED, *RED, *RED])
    picture.putdata([0, 1, 2])
    file = io.BytesIO()
    picture.save(file, "PNG", **({} if transparency is None else {"transparency": transparency}))
    return file.getvalue()


def saved(picture: Image.Image, picture_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, picture_format, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        pytest.param(saved(Image.new("L", (2, 1), 77), "PNG"), [(77,) * 3] * 2, id="grey"),
        pytest.param(saved(with_alpha("L", (0,)), "PNG"), [(0,) * 3, (127,) * 3, WHITE], id="grey+alpha"),
        pytest.param(saved(with_alpha("RGB", RED), "PNG"), [RED, HALF_RED, WHITE], id="RGBA"),
        pytest.param(saved(with_alpha("RGB", RED), "WEBP", lossless=True), [RED, HALF_RED, WHITE], id="WebP+alpha"),
        pytest.param(saved(with_alpha("RGB", RED), "TIFF"), [RED, HALF_RED, WHITE], id="TIFF+alpha"),
        pytest.param(palette(None), [RED] * 3, id="palette"),
        pytest.param(palette(1), [RED, WHITE, RED], id="palette+index"),
        pytest.param(palette(bytes([255, 128, 0])), [RED, HALF_RED, WHITE], id="palette+alpha"),
        pytest.param(saved(Image.new("RGB", (1, 1), RED), "PNG", transparency=RED), [WHITE], id="RGB+colour"),
        pytest.param(saved(Image.frombytes("1", (3, 1), b"\x40"), "PNG"), [(0,) * 3, WHITE, (0,) * 3], id="1 bit"),
        pytest.param(png(4, 1, 2, 0, [b"\x1b"]), [(v,) * 3 for v in (0, 85, 170, 255)], id="grey of 2 bits"),
        pytest.param(saved(Image.new("RGB", (1, 1), RED), "PNG"), [RED], id="1x1"),
        pytest.param(saved(Image.new("RGB", (2, 1), RED), "BMP"), [RED] * 2, id="BMP"),
        pytest.param(saved(Image.new("RGB", (2, 1), RED), "PPM"), [RED] * 2, id="PPM"),
        pytest.param(saved(Image.new("RGB", (2, 1), RED), "JPEG2000"), [RED] * 2, id="JPEG 2000"),
        pytest.param(saved(Image.new("CMYK", (2, 1), (0, 255, 255, 0)), "TIFF"), [RED] * 2, id="CMYK TIFF"),
    ],
)  # fmt: skip
def test_a_picture_of_any_kind_becomes_rgb_and_what_is_transparent_white(
    tmp_path: Path, data: bytes, pixels: list[tuple[int, ...]]
) -> None:
    image = read_image(written(tmp_path / "picture", data))
    assert image.dtype == np.uint8
    assert image.tolist() == [[list(pixel) for pixel in pixels]]
    assert read_size(tmp_path / "picture") == (1, len(pixels))


def test_a_cmyk_jpeg_has_the_colours_that_opencv_sees(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(cv2.resize(noise(3, 4, 3), (64, 48))).convert("CMYK").save(path, quality=100)
    theirs = cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB)
    np.testing.assert_allclose(read_image(path).astype(int), theirs, atol=3)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)], ids=["grey", "RGB"])
def test_of_16_bits_the_upper_byte_is_taken(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    values = noise(*shape, dtype=np.uint16)
    cv2.imwrite(str(tmp_path / name), values)
    expected = np.stack([values] * 3, -1) if len(shape) == 2 else values[..., ::-1]
    np.testing.assert_array_equal(read_image(tmp_path / name), expected >> 8)


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 3), color) for color in (RED, (0, 255, 0), (0, 0, 255))]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        np.testing.assert_array_equal(read_image(tmp_path / name), np.full((3, 4, 3), RED), err_msg=name)


def test_the_pixels_belong_to_the_caller(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", noise(3, 4, 3))
    write_mask(tmp_path / "m.png", noise(3, 4), LabelSpace.from_names(["a"]))
    for array in (read_image(tmp_path / "a.png"), read_mask(tmp_path / "m.png")):
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_the_name_of_a_file_says_nothing_of_its_format(tmp_path: Path) -> None:
    picture = noise(3, 4, 3)
    path = written(tmp_path / "a.jpg", saved(Image.fromarray(picture), "PNG"))
    np.testing.assert_array_equal(read_image(path), picture)
    np.testing.assert_array_equal(read_image(str(path)), picture)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_picture_is_refused_in_one_clear_sentence(read: Callable[[Path], object], tmp_path: Path) -> None:
    what = "picture" if read in (read_image, read_size) else "mask"
    assert f"There is no {what}" in refusal(read, tmp_path / "missing.png")
    assert f"There is no {what}" in refusal(read, written(tmp_path / "file", b"") / "below.png")
    assert f"is a folder where a {what} was expected" in refusal(read, tmp_path)
    assert "is empty" in refusal(read, written(tmp_path / "empty.jpg", b""))
    assert "is no picture that can be read" in refusal(read, written(tmp_path / "text.jpg", b"to whom it may concern"))
    assert "File name too long" in refusal(read, tmp_path / ("x" * 300))
    assert "null" in refusal(read, Path("a\0b.png"))


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_unpacks_to_far_too_many_pixels_is_refused_at_once(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = written(tmp_path / "bomb.png", png(60_000, 60_000, 8, 0, [b"\0"]))
    assert "unpacks to more than 178 million pixels: cut it into smaller tiles" in refusal(read, path)


def test_a_large_photograph_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    write_image(tmp_path / "a.png", noise(5, 8, 3))
    write_image(tmp_path / "b.png", noise(5, 9, 3))
    with warnings.catch_warnings(action="ignore"):
        assert read_image(tmp_path / "a.png").shape == (5, 8, 3)
    refusal(read_image, tmp_path / "b.png")


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG"])
def test_a_truncated_picture_is_refused_wherever_it_was_cut_off(tmp_path: Path, picture_format: str) -> None:
    whole = saved(Image.fromarray(noise(20, 30, 3)), picture_format)
    for length in range(1, len(whole) - 20, 37):
        refusal(read_image, written(tmp_path / "a.png", whole[:length]))


def test_a_picture_of_floating_point_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.ones((3, 4), np.float32)).save(path)
    assert "floating-point numbers of no stated range): save it again as PNG or JPEG" in refusal(read_image, path)
    assert "but a mask holds one class index per pixel" in refusal(read_mask, path)
    assert read_size(path) == (3, 4)


@pytest.mark.parametrize("value", [-1, 65536])
def test_whole_numbers_outside_16_bits_are_refused(tmp_path: Path, value: int) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((3, 4), value, np.int32)).save(path)
    assert f"its values reach from {value} to {value}, outside 16 bits" in refusal(read_image, path)
    assert "but a mask holds one class index per pixel" in refusal(read_mask, path)


SAMPLES = {
    "PNG": saved(Image.fromarray(noise(9, 12, 3)), "PNG"),
    "palette PNG": saved(Image.fromarray(noise(9, 12) % 4).convert("P"), "PNG", bits=2),
    "16-bit PNG": saved(Image.fromarray(noise(9, 12, dtype=np.uint16)), "PNG"),
    "JPEG": saved(Image.fromarray(noise(9, 12, 3)), "JPEG", exif=b"Exif\0\0" + exif_bytes(6)),
    "TIFF": saved(Image.fromarray(noise(9, 12, 3)), "TIFF", exif=b"Exif\0\0" + exif_bytes(6)),
    "deflated TIFF": saved(Image.fromarray(noise(9, 12, 3)), "TIFF", compression="tiff_deflate"),
    "GIF": saved(Image.fromarray(noise(9, 12)), "GIF"),
    "WebP": saved(Image.fromarray(noise(9, 12, 3)), "WEBP"),
    "BMP": saved(Image.fromarray(noise(9, 12, 3)), "BMP"),
    "palette BMP": saved(Image.fromarray(noise(9, 12)).convert("P"), "BMP"),
    "PPM": saved(Image.fromarray(noise(9, 12, 3)), "PPM"),
    "JPEG 2000": saved(Image.fromarray(noise(9, 12, 3)), "JPEG2000"),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_damaged_file_is_read_or_refused_but_nothing_else(tmp_path: Path, kind: str) -> None:
    dice = random.Random(kind)
    answers = []
    for _ in range(150):
        data = bytearray(SAMPLES[kind])
        for _ in range(dice.choice((1, 3, 20))):
            # Most of what can go wrong is decided by the first bytes.
            place = dice.randrange(dice.choice((64, len(data), len(data))))
            data[min(place, len(data) - 1)] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        path = written(
            tmp_path / "a", bytes(data[: dice.choice((len(data), len(data), dice.randrange(len(data)))) + 1])
        )
        answers += [answer(read, path) for read in READERS]
    assert set(answers) - {""}
    for text in answers:
        assert "\n" not in text
        assert text.endswith(".") or not text


def answer(read: Callable[[Path], object], path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            read(path)
        except (ImageError, MaskError) as error:
            return str(error)
    return ""


THREE = LabelSpace.from_names(["background", "cat", "dog"])


def test_a_mask_survives_its_file_exactly_with_all_values_of_8_bits(tmp_path: Path) -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    write_mask(tmp_path / "a.png", mask, THREE)
    read = read_mask(tmp_path / "a.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, mask)
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), THREE.color_table[mask][..., ::-1]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (33, 1), (37, 53)])
def test_a_mask_is_never_resized_and_gains_no_value(tmp_path: Path, shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).choice(np.array([0, 2, 255], np.uint8), shape)
    write_mask(tmp_path / "a.png", mask, THREE)
    read = read_mask(tmp_path / "a.png")
    assert read.shape == read_mask_size(tmp_path / "a.png") == shape
    assert set(read.ravel()) <= set(mask.ravel())


def test_a_written_mask_looks_like_its_label_space(tmp_path: Path) -> None:
    labels = LabelSpace(names=("sky", "road"), colors=((10, 20, 30), (200, 100, 0)))
    mask = np.array([[0, 1, 255, 7]], np.uint8)
    write_mask(tmp_path / "a.png", mask, labels)
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == "P"
        assert file.getpalette() == labels.color_table.ravel().tolist()
        seen = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(seen, labels.color_table[mask])


def test_a_mask_of_more_than_255_classes_has_16_bits(tmp_path: Path) -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(300)])
    mask = np.array([[0, 255, 256, 299, 65535]], np.uint16)
    write_mask(tmp_path / "a.png", mask, labels)
    read = read_mask(tmp_path / "a.png")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, mask)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), mask)
    write_mask(tmp_path / "b.png", mask.astype(np.uint8), labels)
    assert read_mask(tmp_path / "b.png").dtype == np.uint16


def test_a_mask_value_that_its_file_cannot_hold_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the mask's value 256 is larger than the ignore value 255"):
        write_mask(tmp_path / "a.png", np.array([[256]], np.uint16), THREE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("color_type", [0, 3], ids=["grey", "palette"])
def test_a_mask_of_few_bits_per_pixel_keeps_its_values(tmp_path: Path, bits: int, color_type: int) -> None:
    mask = noise(5, 7) & (2**bits - 1)
    bit_rows = np.unpackbits(mask[..., None], axis=-1)[..., -bits:].reshape(5, -1)
    rows = [np.packbits(row).tobytes() for row in bit_rows]
    data = png(7, 5, bits, color_type, rows)
    if color_type == 3:
        place = data.index(b"IDAT") - 4
        data = data[:place] + chunk(b"PLTE", noise(2**bits, 3).tobytes()) + data[place:]
    np.testing.assert_array_equal(read_mask(written(tmp_path / "a.png", data)), mask)


@pytest.mark.parametrize("name", ["a.bmp", "a.gif", "a.tif"])
def test_a_mask_in_another_format_that_keeps_values_is_read_exactly(tmp_path: Path, name: str) -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(mask)
    image.putpalette(THREE.color_table.tobytes())
    image.save(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name), mask)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_16_bit_tiff_is_read_in_either_byte_order(tmp_path: Path, order: str) -> None:
    mask = noise(5, 7, dtype=np.uint16)
    Image.frombytes("I;16B" if order == ">" else "I;16", (7, 5), mask.astype(f"{order}u2").tobytes()).save(
        tmp_path / "a.tif"
    )
    read = read_mask(tmp_path / "a.tif")
    assert read.dtype == np.dtype("=u2")
    np.testing.assert_array_equal(read, mask)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "CMYK"])
def test_a_colour_picture_is_no_mask(tmp_path: Path, mode: str) -> None:
    name = "a.tif" if mode == "CMYK" else "a.png"
    Image.new(mode, (4, 3)).save(tmp_path / name)
    assert f"of mode {mode}, but a mask holds one class index per pixel" in refusal(read_mask, tmp_path / name)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.jp2"])
def test_a_mask_in_a_format_that_blurs_indices_is_refused(tmp_path: Path, name: str) -> None:
    Image.fromarray(noise(16, 16)).save(tmp_path / name)
    assert "need not keep class indices as they are: save the indices as PNG" in refusal(read_mask, tmp_path / name)


def test_a_png_keeps_every_pixel_and_a_jpeg_nearly(tmp_path: Path) -> None:
    image = cv2.resize(noise(4, 5, 3), (80, 64))
    write_image(tmp_path / "below" / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "below" / "a.png"), image)
    write_image(tmp_path / "a.JPG", image)
    np.testing.assert_allclose(read_image(tmp_path / "a.JPG").astype(int), image, atol=12)
    with Image.open(tmp_path / "a.JPG") as file:
        assert file.format == "JPEG"


@pytest.mark.parametrize("name", ["a", "a.txt", "a.psd"])
def test_a_suffix_that_names_no_format_to_write_is_a_slip(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' names no picture format"):
        write_image(tmp_path / name, noise(3, 4, 3))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    written(tmp_path / "file", b"")
    with pytest.raises(OutputError, match="a file stands where a folder was expected"):
        write_image(tmp_path / "file" / "a.png", noise(3, 4, 3))
    with pytest.raises(OutputError, match="a file stands where a folder was expected"):
        write_mask(tmp_path / "file" / "a.png", noise(3, 4), THREE)


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pictures = ("b/2.PNG", "b/10.jpg", "a.jpg", "b/deep/er/x.tiff", "odd[1].jpg")
    others = ("b/notes.txt", "b/.hidden.jpg", "b/.cache/y.jpg", "empty/z.txt")
    for name in pictures + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/folder.jpg").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["b"], ["b/10.jpg", "b/2.PNG", "b/deep/er/x.tiff"]),
        (["b/2.PNG", "a.jpg"], ["b/2.PNG", "a.jpg"]),
        (["b/2.PNG", "b", "b/2.PNG", "./b/../b/10.jpg"], ["b/2.PNG", "b/10.jpg", "b/deep/er/x.tiff"]),
        (["*.jpg"], ["a.jpg", "odd[1].jpg"]),
        (["odd[1].jpg"], ["odd[1].jpg"]),
        (["b/*"], ["b/10.jpg", "b/2.PNG", "b/deep/er/x.tiff"]),
        (["**/*.tiff"], ["b/deep/er/x.tiff"]),
        (["b/deep*"], ["b/deep/er/x.tiff"]),
        (["b/notes.txt"], ["b/notes.txt"]),  # what is named outright is taken at its word
        ([], []),
    ],
)
@pytest.mark.usefixtures("album")
def test_files_folders_and_patterns_give_each_picture_once_in_a_stable_order(
    inputs: list[str], found: list[str]
) -> None:
    assert find_images(inputs) == [Path(path) for path in found]


def test_a_relative_and_an_absolute_path_of_one_file_give_it_once(album: Path) -> None:
    assert find_images(["a.jpg", album / "a.jpg"]) == [Path("a.jpg")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("empty", "The folder empty holds no picture"),
        ("b/folder.jpg", "The folder b/folder.jpg holds no picture"),
        ("none.jpg", "There is no file, folder or pattern none.jpg"),
        ("none/*.jpg", "There is no file, folder or pattern"),
        ("b/*.txt", "The pattern b/.*.txt fits no picture"),
        ("empt*", "fits no picture"),
        ("x" * 5000, "There is no file, folder or pattern"),
        ("a\0b", "There is no file, folder or pattern"),
        ("", "There is no file"),
    ],
)
@pytest.mark.usefixtures("album")
def test_an_input_that_names_no_picture_is_refused(given: str, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        find_images(["a.jpg", given])


def test_a_hidden_folder_that_is_asked_for_is_looked_into(album: Path) -> None:
    assert images_below(album / "b" / ".cache") == [album / "b" / ".cache" / "y.jpg"]


def test_outputs_have_the_stems_of_their_inputs_where_these_differ() -> None:
    assert unique_stems([Path("a/x.jpg"), Path("b/y.tar.png"), Path("z")]) == ["x", "y.tar", "z"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.jpg", "b/x.png"], ["a_x_jpg", "b_x_png"]),
        (["x.jpg", "x.png"], ["x_jpg", "x_png"]),
        (["a/x.jpg", "a/x.jpg"], ["a_x_jpg", "a_x_jpg_2"]),
        (["/x.jpg", "/x.png"], ["x_jpg", "x_png"]),
        (["../x.jpg", "x.png"], ["x_jpg", "x_png"]),
        (["a/x.jpg", "b/x.jpg", "a_x_jpg.png"], ["a_x_jpg_2", "b_x_jpg", "a_x_jpg"]),
        (["a/x.jpg", "c/a/x.jpg", "a_x_jpg_2.png"], ["a_x_jpg", "a_x_jpg_3", "a_x_jpg_2"]),
    ],
)
def test_outputs_of_equal_stems_are_told_apart_and_leave_their_folder_nowhere(
    paths: list[str], names: list[str]
) -> None:
    assert unique_stems([Path(path) for path in paths]) == names


def test_no_output_has_the_name_of_another_whatever_the_inputs() -> None:
    dice = random.Random(0)
    folders = ["", "a", "a/a", "/", "..", "x", "a_x"]
    names = ["x.jpg", "x.png", "a_x_jpg.png", "a_x_jpg_2.jpg", "x_jpg", "x_x_jpg.b", "a_x_jpg_3", ".x", "x..jpg"]
    everywhere = [Path(folder) / name for folder, name in itertools.product(folders, names)]
    for _ in range(2000):
        paths = dice.choices(everywhere, k=dice.randrange(12))
        unique = unique_stems(paths)
        assert len(set(unique)) == len(unique) == len(paths)
        stems = [path.stem for path in paths]
        for stem, name in zip(stems, unique, strict=True):
            assert name == stem or stems.count(stem) > 1
            assert Path(name).name == name, "it stays in the folder of the outputs"


def test_ten_thousands_of_names_take_no_time() -> None:
    paths = [Path(f"{index % 2}/{index // 2}.jpg") for index in range(30_000)]
    assert len(set(unique_stems(paths))) == 30_000


@real
def test_real_pictures_have_the_size_of_their_header() -> None:
    paths = images_below(REAL / "fashion" / "photos")[:10] + images_below(REAL / "skydiving" / "val" / "Images")
    assert paths
    for path in paths:
        assert read_image(path).shape[:2] == read_size(path)


def test_the_formats_that_are_read_are_those_whose_suffixes_are_looked_for() -> None:
    formats = {Image.registered_extensions()[suffix] for suffix in images.IMAGE_SUFFIXES}
    assert formats == set(images.IMAGE_FORMATS)


@pytest.mark.parametrize("cut", [3, 20, 160, 400])
def test_a_plain_jpeg_that_is_cut_off_or_changed_is_refused_or_read_and_nothing_else(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path, quality=90)
    whole = path.read_bytes()
    random = np.random.default_rng(cut)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[int(random.integers(2, len(whole) - 2))] ^= int(random.integers(1, 256))
        for content in (bytes(damaged), whole[:cut], whole[:cut] + b"\xff\xd9"):
            path.write_bytes(content)
            try:
                assert read_image(path).dtype == np.uint8
            except ImageError as error:
                assert "a.jpg" in str(error)  # noqa: PT017 - some damage leaves a picture


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_a_plain_jpeg_has_the_pixels_that_pillow_reads(tmp_path: Path, options: dict[str, Any]) -> None:
    pixels = np.kron(np.random.default_rng(1).integers(0, 256, (5, 6, 3), np.uint8), np.ones((7, 7, 1), np.uint8))
    Image.fromarray(pixels).save(tmp_path / "a.jpg", **options)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))
