"""JSON and XML of strangers: read whole, checked field by field, and answered in one sentence where they are wrong."""

import json
import re
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from atrous.data.file_tree import FileTree
from atrous.errors import DatasetError

LONGEST_SHOWN = 60  # characters of a wrong value in a sentence
EXPECTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "a table of fields"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "string_type": "a text",
}
"""What should have been there, by pydantic's words for what is not."""
FIELD = re.compile(r"[a-z]\w*")


class Record(BaseModel):
    """What we read of an object that others define: unknown fields are passed over, not-a-number is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


R = TypeVar("R", bound=Record)


def checked(kind: type[R], data: object, source: str) -> R:
    """Read an object of JSON, or the attributes of an element of XML, as a record.

    Raises:
        DatasetError: If a field is missing or impossible; it names the field.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        deepest = max(error.errors(include_url=False), key=lambda fault: len(fault["loc"]))  # where a union nearly fits
        raise DatasetError(f"{source}: {_fault(deepest)}") from None
    except RecursionError:
        raise DatasetError(f"{source} is nested too deeply: export it again.") from None


def read_json(tree: FileTree, name: str) -> Any:
    """Read a file of JSON.

    Raises:
        DatasetError: If it is missing or no JSON.
    """
    return parse_json(tree.read_text(name), str(tree.file(name)))


def parse_json(text: str | bytes, source: str) -> Any:
    """Read a text of JSON.

    Raises:
        DatasetError: If it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{source} is no JSON ({error.msg} in line {error.lineno}): get a whole copy, or export it again."
        ) from None
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8, numbers of thousands of digits
        raise DatasetError(f"{source} is no JSON that can be read ({_one_line(error)}): export it again.") from None


def parse_xml(content: bytes | str, source: str) -> Element:
    """Read an XML document; entities are refused, since they can blow up a small file or read other ones.

    Raises:
        DatasetError: If it is none.
    """
    try:
        element: Element = fromstring(content)
    except ParseError as error:
        raise DatasetError(f"{source} is no XML ({error}): get a whole copy, or export it again.") from None
    except (DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise DatasetError(f"{source} is no XML that can be read ({_one_line(error)}): export it again.") from None
    return element


def text_of(element: Element, path: str, default: str = "") -> str:
    """The text of an element below, without the white space around it, or the default where it is not there."""
    return (element.findtext(path) or default).strip()


def _fault(error: ErrorDetails) -> str:
    # Between the fields pydantic names the members of unions, which no file has.
    place = [str(part) for part in error["loc"] if isinstance(part, int) or FIELD.fullmatch(part)]
    where, given = f"`{'.'.join(place)}`" if place else "the whole", error["input"]
    match error["type"]:
        case "missing":
            return f"{where} is missing. Export it again."
        case kind if kind in EXPECTED:
            reason = f"{EXPECTED[kind]} was expected"
        case _:
            reason = error["msg"][:1].lower() + error["msg"][1:]
    shown = f" (given: {_one_line(repr(given))})" if isinstance(given, str | float | bool | None) else ""
    return f"{where} cannot be read: {reason}{shown}. Correct it, or export again."


def _one_line(reason: object) -> str:
    text = " ".join(str(reason).split()) or type(reason).__name__
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
