"""Tables of the colours in which masks show their classes, as people and tools write them: JSON, YAML, CSV, text."""

import csv
import io
import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrous.config import parse_yaml
from atrous.data.file_tree import FileTree
from atrous.errors import ConfigError, DatasetError, MaskError
from atrous.images import ReadableFile, read_mask_colors
from atrous.labels import Color, Mask

ColorTable = dict[str, Color]
"""The colour of each name, in the order of the file."""

USUAL_NAMES = (
    "classes.json", "classes.yaml", "classes.yml", "classes.csv", "classes.txt", "class_dict.csv", "colors.json",
    "colors.yaml", "colors.csv", "colors.txt", "label_colors.txt", "labelmap.txt", "palette.json", "palette.csv",
    "palette.txt",
)  # fmt: skip
"""Where a table is looked for if none is named. `class_dict.csv` and `label_colors.txt` come with editions of CamVid,
`labelmap.txt` with CVAT's segmentation masks."""

HEXADECIMAL = re.compile(r"#[0-9a-fA-F]{6}")

SHAPES = (
    '{"road": [128, 64, 128]} in JSON or YAML, lines `road,128,64,128` in CSV, '
    "`128 64 128 road` or `road:128,64,128` in text"
)


@dataclass(frozen=True)
class ColorMasks:
    """Reads masks whose classes are colours."""

    meanings: dict[Color, int]
    """The class index, or ignore value, of each colour."""
    table: str
    """Where they stand, for messages."""

    def __call__(self, file: ReadableFile) -> Mask:
        """Read a mask.

        Returns:
            uint8 [H, W], or uint16 where a meaning is above 255.

        Raises:
            MaskError: If a pixel has another colour, or the file cannot be read.
        """
        codes = _codes(read_mask_colors(file))
        known = np.sort(_codes(np.array(list(self.meanings), np.uint8)))
        order = np.argsort(_codes(np.array(list(self.meanings), np.uint8)))
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        strange = known[places] != codes
        if strange.any():
            raise MaskError(self._unknown(file, codes, strange))
        values = np.array(list(self.meanings.values()))[order]
        return values[places].astype(np.uint8 if values.max() <= 255 else np.uint16)

    def _unknown(self, file: ReadableFile, codes: NDArray[np.int32], strange: NDArray[np.bool_]) -> str:
        y, x = np.argwhere(strange)[0]
        code = int(codes[y, x])
        color = (code >> 16, code >> 8 & 255, code & 255)
        return (
            f"{file} has the colour {color} at pixel (x {x}, y {y}), one of {strange.sum()} in all whose colour "
            f"{self.table} does not list: correct the mask, or add the colour to the table."
        )


def read_color_table(tree: FileTree, path: str) -> ColorTable:
    """Read a table of colours.

    Returns:
        The colours by name, in the order of the file.

    Raises:
        DatasetError: If there is no such file, it is no such table, or a name or colour stands twice.
    """
    text, source = tree.read_text(path), str(tree.file(path))
    suffix = posixpath.splitext(path)[1].lower()
    try:
        if suffix in (".json", ".yaml", ".yml"):
            entries = _entries(
                json.loads(text, object_pairs_hook=_unique) if suffix == ".json" else parse_yaml(text, source)
            )
        else:
            entries = _csv_entries(text) if suffix == ".csv" else _text_entries(text)
        pairs = [(name.strip(), _color(value)) for name, value in entries]
    except (ValueError, TypeError, LookupError, AttributeError, csv.Error, RecursionError, ConfigError) as error:
        reason = " ".join(str(error).split())[:80].rstrip(".")
        raise DatasetError(f"{source} is no table of colours ({reason}): write {SHAPES}.") from None
    _require_distinct(pairs, source)
    return dict(pairs)


def find_color_table(tree: FileTree) -> str:
    """Return the path of the table beside the data.

    Raises:
        DatasetError: If there is none, or several.
    """
    found = [name for name in USUAL_NAMES if tree.has_file(name)]
    if len(found) > 1:
        raise DatasetError(f"{tree.place} has several tables of colours ({', '.join(found)}): choose one with `table`.")
    if not found:
        raise DatasetError(
            f"{tree.place} has no table of the masks' colours: write classes.json with {SHAPES.split(' in ')[0]}, or "
            "name another file with `table`."
        )
    return found[0]


def _entries(data: Any) -> Iterable[tuple[str, Any]]:
    """Names and colours of a table of either form, also below a key `classes` or `labels`."""
    if isinstance(data, dict):
        for key in ("classes", "labels"):
            if isinstance(data.get(key), list | dict) and not _is_color(data[key]):
                return _entries(data[key])
        return [(str(name), value) for name, value in data.items()]
    return [(str(entry["name"]), entry.get("color", entry.get("colour", entry.get("rgb")))) for entry in data]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which Python would keep the last of two equal keys and say nothing."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice in it")
    return dict(pairs)


def _csv_entries(text: str) -> Iterable[tuple[str, Any]]:
    """Lines of a name and three numbers; a first line without numbers is the header."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    header = [cell.lower() for cell in rows[0]] if rows else []
    columns = [header.index(name) if name in header else -1 for name in ("r", "g", "b")]
    if min(columns, default=-1) >= 0:
        (name, *_) = set(range(len(header))) - set(columns)
        return [(row[name], [row[place] for place in columns]) for row in rows[1:]]
    return [(row[0], row[1:4]) for row in rows]


def _text_entries(text: str) -> Iterable[tuple[str, Any]]:
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if cvat := re.fullmatch(r"\s*([^:]+):\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(:.*)?", line):
            yield cvat[1], cvat.group(2, 3, 4)
        elif first := re.fullmatch(r"\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\S.*)", line):
            yield first[4], first.group(1, 2, 3)
        elif last := re.fullmatch(r"\s*(\S.*?)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*", line):
            yield last[1], last.group(2, 3, 4)
        else:
            raise ValueError(f"the line {line.strip()[:40]!r} has no name and three numbers")


def _is_color(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(part, int) for part in value)


def _color(value: Any) -> Color:
    if isinstance(value, str) and HEXADECIMAL.fullmatch(value):
        return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
    if isinstance(value, str) or len(value) != 3:
        raise ValueError(f"{value!r} is no colour")
    red, green, blue = (int(part) for part in value)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"the colour {red}, {green}, {blue} is outside 0..255")
    return red, green, blue


def _require_distinct(pairs: Sequence[tuple[str, Color]], source: str) -> None:
    names, colors = zip(*pairs, strict=True) if pairs else ((), ())
    if not pairs or not all(names):
        raise DatasetError(f"{source} is no table of colours (a name is missing): write {SHAPES}.")
    for what, values in (("name", names), ("colour", colors)):
        if len(set(values)) < len(values):
            twice = next(value for place, value in enumerate(values) if value in values[:place])
            raise DatasetError(f"{source} lists the {what} {twice} twice: each class needs one of its own.")


def _codes(colors: NDArray[np.uint8]) -> NDArray[np.int32]:
    """One number for each colour: R, G and B as the bytes of it."""
    wide = colors.astype(np.int32)
    codes: NDArray[np.int32] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return codes
