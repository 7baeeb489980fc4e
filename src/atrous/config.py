"""Configs: frozen, typed, and strict; a typo is answered with the nearest valid name."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from atrous.errors import ConfigError

T = TypeVar("T")


class Config(BaseModel):
    """Base of every config: its values cannot change, unknown keys and not-a-number are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    raise ValueError(f"there is no key `{key}`; {nearest(str(key), cls.model_fields)}")
        return data


def nearest(name: str, choices: Iterable[str]) -> str:
    """Answer a wrong name: "did you mean ...?" or the list of what there is."""
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    listed = ", ".join(choices)
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
        raise ConfigError(_sentence(error.errors(), source)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a table of keys; nothing in it is executed.

    Raises:
        ConfigError: If there is no such file or it is no such YAML.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}: give the path of a YAML file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as text ({error}): give the path of a YAML file.") from None
    except (yaml.YAMLError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path} is no valid YAML ({problem}): mend the place it names.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds {type(data).__name__} where a table of `key: value` lines was expected.")
    return data


def override(data: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a copy of nested tables in which `a.b=value` assignments are made; values are read as YAML.

    Raises:
        ConfigError: If an assignment has no `=`, or its path leads through a value that is no table.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise ConfigError(f"`{assignment}` is no override: write key=value, as in training.steps=100.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"The value of `{assignment}` is no valid YAML: quote it.") from None
        data = _assigned(data, path.split("."), value, assignment)
    return data


def _assigned(table: Any, path: list[str], value: Any, assignment: str) -> dict[str, Any]:
    if table is None:
        table = {}
    if not isinstance(table, dict):
        raise ConfigError(f"`{assignment}` leads through a value that has no keys: check the dotted path.")
    first, *rest = path
    return {**table, first: _assigned(table.get(first), rest, value, assignment) if rest else value}


def _sentence(errors: list[ErrorDetails], source: str) -> str:
    first, *others = errors
    # Tags of unions stand in pydantic's location beside the keys; they are values of `kind`, not keys.
    place = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    what = what[0].lower() + what[1:]
    given = first["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool | None) else ""
    more = f" ({len(others)} more after this one.)" if others else ""
    return f"{source}: {f'`{place}`: ' if place else ''}{what}{shown}.{more}"
