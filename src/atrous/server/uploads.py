"""The bytes of a request become a picture, within limits of bytes, seconds and pixels, and never by way of a file."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Literal

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from PIL import Image
from python_multipart.multipart import parse_options_header

from atrous.errors import ImageError
from atrous.images import read_image, read_size
from atrous.server.forms import image_of_form
from atrous.server.limits import MEGA, Limits
from atrous.server.refusals import RefusedError, busy

FORM = b"multipart/form-data"
BYTES = (b"", b"application/octet-stream")
SECONDS_TO_COME_BACK = 2


class HeldBytes:
    """How many bytes of uploads are in memory, of all requests together."""

    def __init__(self, most: int) -> None:
        """Hold none yet; never more than `most`."""
        self.most, self.count = most, 0

    @contextmanager
    def one_upload(self) -> Iterator["Upload"]:
        """Yield an empty upload, whose bytes count until the block ends."""
        upload = Upload(self)
        try:
            yield upload
        finally:
            self.count -= len(upload.content)


class Upload:
    """The bytes of one request, as far as they have come."""

    def __init__(self, held: HeldBytes) -> None:
        """Begin without bytes."""
        self.content, self._held = bytearray(), held

    def add(self, more: bytes) -> None:
        """Take more bytes.

        Raises:
            RefusedError: If all uploads together are too large.
        """
        if self._held.count + len(more) > self._held.most:
            raise busy(SECONDS_TO_COME_BACK)
        self._held.count += len(more)
        self.content += more


class PictureBytes:
    """A picture that came over the network, as `atrous.images` reads it."""

    name = stem = "the upload"

    def __init__(self, content: bytes) -> None:
        """Take the bytes of a picture file."""
        self._content = content

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:  # noqa: ARG002 - of the protocol ReadableFile
        """Open it as a file in memory."""
        return io.BytesIO(self._content)

    def __str__(self) -> str:
        return "The upload"

    def size(self, limits: Limits) -> tuple[int, int]:
        """Return (height, width) of the upright picture, as its header says.

        Raises:
            RefusedError: If it is no picture, or has too many pixels.
        """
        with _faults_of_pictures(limits):
            height, width = read_size(self)
        if height * width > limits.pixels:
            raise _too_many_pixels(f"has {height * width / MEGA:.1f}", limits)
        return height, width

    def decoded(self, limits: Limits) -> NDArray[np.uint8]:
        """Return the picture, uint8 [H, W, 3], upright.

        Raises:
            RefusedError: If it is damaged or cut off.
        """
        with _faults_of_pictures(limits):
            return read_image(self)


@contextmanager
def _faults_of_pictures(limits: Limits) -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        if isinstance(error.__context__, Image.DecompressionBombError):
            raise _too_many_pixels("unpacks to several hundred", limits) from None
        raise RefusedError(422, "unreadable_picture", str(error)) from None


def _too_many_pixels(has: str, limits: Limits) -> RefusedError:
    return RefusedError(
        413,
        "picture_too_large",
        f"The picture {has} million pixels and the server takes {limits.pixels / MEGA:g} million: make it smaller.",
    )


async def read_upload(request: Request, upload: Upload, limits: Limits) -> PictureBytes:
    """Read the body of a request, which is a picture or a form with one.

    Raises:
        RefusedError: If it is too large, too slow, of another type, or no whole form.
        ClientDisconnect: If the client went away.
    """
    kind, options = _type_of(request)
    _require_length(request.headers.get("content-length"), limits)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            async for chunk in request.stream():
                if len(upload.content) + len(chunk) > limits.upload_bytes:
                    raise _too_many_bytes(limits)
                upload.add(chunk)
    except TimeoutError:
        raise RefusedError(
            408,
            "upload_too_slow",
            f"The upload took more than {limits.upload_seconds:g} seconds: send a smaller picture.",
            {"Connection": "close"},
        ) from None
    content = bytes(upload.content)
    if kind == FORM:
        content = await asyncio.to_thread(image_of_form, content, options.get(b"boundary", b""))
    if not content:
        raise RefusedError(422, "unreadable_picture", "The upload is empty: send the bytes of a picture file.")
    return PictureBytes(content)


def _type_of(request: Request) -> tuple[bytes, dict[bytes, bytes]]:
    given = request.headers.get("content-type", "")
    kind, options = parse_options_header(given)
    if kind == FORM or kind in BYTES or kind.startswith(b"image/"):
        return kind, options
    shown = kind[:80].decode("ascii", "replace")
    raise RefusedError(
        415,
        "wrong_type",
        f"The body is said to be {shown!r}: send the bytes of a picture as image/jpeg, image/png or "
        "application/octet-stream, or as the field `image` of a form (multipart/form-data).",
    )


def _require_length(given: str | None, limits: Limits) -> None:
    if given is not None and given.isdecimal() and int(given) > limits.upload_bytes:
        raise _too_many_bytes(limits)


def _too_many_bytes(limits: Limits) -> RefusedError:
    return RefusedError(
        413,
        "upload_too_large",
        f"The upload is larger than {limits.upload_bytes / MEGA:g} MB: send a smaller picture, or a JPEG.",
    )
