"""The picture in a form (multipart/form-data), parsed in memory; most parsers put large fields into files."""

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from atrous.server.refusals import RefusedError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = b"image"
MOST_FIELDS = 16


def image_of_form(content: bytes, boundary: bytes) -> bytes:
    """Return the content of the field `image` of a form (RFC 7578).

    Args:
        content: The whole body.
        boundary: What separates its fields.

    Raises:
        RefusedError: If the form is not whole, or has no such field or several.
    """
    if not boundary:
        raise RefusedError(
            400, "wrong_form", "The form says no boundary: let the client's library write its Content-Type."
        )
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(content)
        parser.finalize()
    except FormParserError:
        raise RefusedError(400, "wrong_form", "The form is cut off or damaged: send it again.") from None
    if not form.ended:
        raise RefusedError(400, "wrong_form", "The form is cut off before its end: send it again.")
    if len(form.images) != 1:
        found = f"{len(form.images)} fields" if form.images else "no field"
        raise RefusedError(
            400, "wrong_form", f"The form has {found} `image`: send one picture in a field of this name."
        )
    return bytes(form.images[0])


class _Form:
    """What the parser found; of all fields but `image` only that they were there."""

    def __init__(self) -> None:
        self.images: list[bytearray] = []
        self.ended = self._is_image = False
        self._count = 0
        self._field, self._value = b"", b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._more_of_field,
            "on_header_value": self._more_of_value,
            "on_header_end": self._end_of_header,
            "on_part_data": self._more_data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise FormParserError
        self._is_image, self._field, self._value = False, b"", b""

    def _more_of_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _more_of_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_of_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if options.get(b"name") == FIELD and not self._is_image:
                self._is_image = True
                self.images.append(bytearray())
        self._field, self._value = b"", b""

    def _more_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_image:
            self.images[-1] += data[start:end]

    def _end(self) -> None:
        self.ended = True
