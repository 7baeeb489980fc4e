"""Configs: frozen, typed, and strict; a typo is answered with the nearest valid name."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from atrous.errors import ConfigError

T = TypeVar("T")

LONGEST_SHOWN = 80  # characters of a wrong value in a sentence
MOST_VALUES = 1_000_000  # more than any recipe or label space holds; aliases can make a short YAML fill the memory


class Config(BaseModel):
    """Base of every config: its values cannot change, unknown keys and not-a-number are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_pydantic_lets_pass(cls, data: Any) -> Any:
        if isinstance(data, dict):
            _refuse_other_kind(cls, data)
            for key, value in data.items():
                if key not in cls.model_fields:
                    raise ValueError(f"there is no key `{key}`; {nearest(str(key), cls.model_fields)}")
                _refuse_bool_for_number(key, value, cls.model_fields[key].annotation)
        return data


def nearest(name: str, choices: Iterable[str]) -> str:
    """Answer a wrong name: "did you mean ...?" or the list of what there is."""
    import difflib  # which takes its time, and is for mistakes alone

    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    listed = ", ".join(choices) or "none"
    return f"did you mean `{close[0]}`? There is {listed}" if close else f"there is {listed}"


def parse(kind: Any, data: Any, source: str) -> Any:
    """Check `data` against the type `kind` (a config class or a union of them) and return it as that.

    Args:
        kind: A config class, or any annotation that pydantic understands.
        data: Plain dicts, lists, strings and numbers, as YAML or JSON give them.
        source: Where the data came from, for the error's sentence.

    Raises:
        ConfigError: If a key is unknown or a value impossible.
    """
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        raise ConfigError(_sentence(error.errors(), data, source)) from None
    except RecursionError:
        raise ConfigError(f"{source}: it is nested too deeply; write it flatter.") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a table of keys; nothing in it is executed.

    Raises:
        ConfigError: If there is no such file or it is no such YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}: give the path of a YAML file.") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{path} cannot be read as text ({reason}): give the path of a YAML file.") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """The same for a text that was read elsewhere.

    Args:
        text: YAML.
        source: Where it comes from, for the error's sentence.

    Raises:
        ConfigError: If it is no YAML whose top level is a table of keys.
    """
    try:
        data = _load(text)
    except ValueError as error:
        raise ConfigError(f"{source} is no valid YAML ({error}): mend the place it names.") from None
    if not isinstance(data, dict):
        what = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{source} holds {what} where a table of `key: value` lines was expected: write one.")
    return data


def override(data: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a copy of nested tables in which `a.b=value` assignments are made; values are read as YAML.

    Raises:
        ConfigError: If an assignment has no `=`, or its path leads through a value that is no table.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or not all(keys):
            raise ConfigError(f"`{assignment}` is no override: write key=value, as in training.steps=100.")
        try:
            value = _load(text)
        except ValueError as error:
            raise ConfigError(f"The value of `{assignment}` is no valid YAML ({error}): quote it.") from None
        data = _assigned(data, keys, value, assignment)
    return data


def overridden(source: str, assignments: Sequence[str]) -> str:
    """Where an overridden config came from, for the sentence of an error: `recipe.yaml with training.steps changed`."""
    keys = ", ".join(assignment.partition("=")[0].strip() for assignment in assignments)
    return f"{source} with {keys} changed" if keys else source


class _Loader(yaml.SafeLoader):
    """Safe YAML in which no key stands twice; others keep the last one and say nothing."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"the key `{key.value}` stands twice", problem_mark=key.start_mark)
            seen.add((key.tag, key.value))
        return node


def _load(text: str) -> Any:
    try:
        data = yaml.load(text, _Loader)
        values = _count_values(data, {})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(f"{error.problem or error.context}{place}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except Exception as error:  # dates and tags raise what they like: 2024-13-01, !!int x, !!bool x
        raise ValueError(f"a value in it means nothing: {error}") from None
    if values > MOST_VALUES:
        raise ValueError(f"with its aliases written out it has more than {MOST_VALUES:,} values")
    return data


def _count_values(value: Any, known: dict[int, float]) -> float:
    """How many values there are with every alias written out; without end for a value that holds itself."""
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count_values(item, known) for item in inner)
    return known[id(value)]


def _assigned(table: Any, path: list[str], value: Any, assignment: str) -> dict[str, Any]:
    if table is None:
        table = {}
    if not isinstance(table, dict):
        raise ConfigError(f"`{assignment}` leads through a value that has no keys: check the dotted path.")
    first, *rest = path
    return {**table, first: _assigned(table.get(first), rest, value, assignment) if rest else value}


def _refuse_other_kind(config: type[Config], data: dict[Any, Any]) -> None:
    """Say first that another kind is meant, so that of a union only the member that is meant speaks of its keys."""
    field = config.model_fields.get("kind")
    kinds = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    if kinds and "kind" in data and data["kind"] not in kinds:
        text = "there is no kind `{tag}` here; " + nearest(str(data["kind"]), kinds)
        raise PydanticCustomError("other_kind", text, {"tag": str(data["kind"]), "kinds": kinds})


def _refuse_bool_for_number(key: str, value: Any, annotation: Any) -> None:
    # To Python, and so to pydantic, true is the number 1.
    types = _types_in(annotation)
    others = {bool, Any, object} & types or any(
        isinstance(kind, type) and issubclass(kind, BaseModel) for kind in types
    )
    if {int, float} & types and not others and _holds_bool(value):
        raise PydanticCustomError("bool_for_number", "input should be a number, not true or false", {"key": key})


def _types_in(annotation: Any) -> set[Any]:
    """The plain types that an annotation is made of; for a Literal, those of its values."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {type(value) for value in parts}
    if origin is Annotated:
        return _types_in(parts[0])
    return set().union(*map(_types_in, parts)) if parts else {annotation}


def _holds_bool(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_bool, value.values()))
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_bool, value)))


def _sentence(errors: list[ErrorDetails], data: Any, source: str) -> str:
    located = [(_place(error, data), error) for error in errors if error["type"] != "other_kind"]
    located = located or [(_place(error, data), error) for error in errors]
    # Every member of a union speaks; the one that got furthest is the one that was meant.
    start, _ = located[0]
    place, first = max((at for at in located if at[0][: len(start)] == start), key=lambda at: len(at[0]))
    elsewhere = {other for other, _ in located if place[: len(other)] != other}
    given = first["input"]
    where = f"`{'.'.join(place)}`: " if place else ""
    shown = f" (given: {_shown(given)})" if isinstance(given, str | int | float | bool | None) else ""
    more = f" ({len(elsewhere)} more after this one.)" if elsewhere else ""
    return f"{source}: {where}{_what(first, errors)}{shown}.{more}"


def _what(error: ErrorDetails, errors: list[ErrorDetails]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "this key is missing"
        case "union_tag_not_found":
            return "this key is missing; it says which of several configs is meant"
        case "union_tag_invalid":
            kinds = [tag.strip("'") for tag in context["expected_tags"].split(", ")]
            return f"there is no kind `{context['tag']}`; {nearest(context['tag'], kinds)}"
        case "other_kind":
            kinds = [
                kind for other in errors if other["loc"][:-1] == error["loc"][:-1] for kind in other["ctx"]["kinds"]
            ]
            return f"there is no kind `{context['tag']}`; {nearest(context['tag'], kinds)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "a table of keys was expected"
        case "value_error":
            return error["msg"].removeprefix("Value error, ").rstrip(".")
        case _:
            return error["msg"][0].lower() + error["msg"][1:]


def _place(error: ErrorDetails, data: Any) -> tuple[str, ...]:
    """The keys that lead to an error; pydantic puts the members of unions between them, which no file has."""
    keys: list[object] = []
    for part in error["loc"]:
        is_key = isinstance(data, dict) and part in data
        if is_key or (isinstance(data, list | tuple) and part in range(len(data))):
            keys.append(part)
            data = data[part]
    match error["type"]:
        case "missing":
            keys.append(error["loc"][-1])
        case "bool_for_number":
            keys.append(error["ctx"]["key"])
        case "union_tag_invalid" | "union_tag_not_found" | "other_kind":
            keys.append("kind")
        case _:
            pass
    return tuple(map(str, keys))


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a very large number"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
