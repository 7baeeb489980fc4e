"""What an exported file says about itself, read without the library that computes it."""

import mmap
import zipfile
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from atrous.config import Config
from atrous.errors import CheckpointError
from atrous.labels import LabelSpace
from atrous.weights.formats.operators import MalformedError
from atrous.weights.formats.protobuf import Message

SUFFIXES = {".onnx": "ONNX", ".xml": "OpenVINO IR", ".pt2": "torch.export"}
"""What can be written, by the end of the name; an .xml has its weights in a .bin beside it."""
METADATA_KEY = "atrous"
METADATA_FIELD = 14
"""`metadata_props` of ModelProto, in onnx.proto."""


class ExportCard(Config):
    """All that prediction needs beside the graph; it is stored as JSON in the metadata of the file."""

    format: Literal["atrous-onnx-1"] = "atrous-onnx-1"
    name: str
    labels: LabelSpace
    output: Literal["logits", "labels"] = "logits"
    """Logits at the network's own resolution, or the label of each pixel of the picture."""
    resize: Literal["half_pixel", "align_corners", "asymmetric"] = "half_pixel"
    """How logits are enlarged."""
    output_stride: int = 16
    pixels: dict[str, Any] = Field(default_factory=dict)
    """Mean, deviation and order of the channels; the graph applies them itself, to float32 RGB in 0..1."""
    scores: dict[str, Any] = Field(default_factory=dict)
    """Scores with the protocol that they were obtained by."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    precision: Literal["float32", "int8"] = "float32"
    """int8: weights and activations are 8-bit integers, but for the classifier."""
    network: dict[str, Any] = Field(default_factory=dict)
    """The config of the network that the file was made of."""
    comparison: dict[str, Any] = Field(default_factory=dict)
    """How the file scored beside that network, on pictures of a data set, before it was kept."""


def is_exported(model: str | Path) -> bool:
    """Whether a name ends as those of exported files do."""
    return Path(model).suffix.lower() in SUFFIXES


def read_card(path: Path) -> ExportCard | None:
    """Return what the file says about itself, or None if another program wrote it.

    Raises:
        CheckpointError: If the file is missing, damaged or no exported file.
    """
    suffix = path.suffix.lower()
    kind = SUFFIXES.get(suffix, "ONNX")
    try:
        text = {".xml": _of_openvino, ".pt2": _of_program}.get(suffix, _of_onnx)(path)
    except (MalformedError, ValueError, SyntaxError, zipfile.BadZipFile, EOFError):  # ValueError: an empty file
        raise CheckpointError(f"{path} is no {kind} file or a damaged one: get a whole copy of it.") from None
    except OSError as error:
        raise CheckpointError(f"Cannot read {path} ({error.strerror}): check the path.") from None
    if text is None:
        return None
    try:
        return ExportCard.model_validate_json(text)
    except pydantic.ValidationError:
        raise CheckpointError(
            f"What {path} says about itself was not written by this version of atrous: export the model again."
        ) from None


def _of_onnx(path: Path) -> bytes | None:
    with path.open("rb") as file:
        return _metadata(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _of_openvino(path: Path) -> str | None:
    from defusedxml.ElementTree import parse

    entry = parse(path).find(f"rt_info/{METADATA_KEY}")
    return None if entry is None else entry.get("value")


def _of_program(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_KEY}")]
        return archive.read(names[0]) if names else None


def _metadata(memory: mmap.mmap) -> bytes | None:
    entries = Message(memoryview(memory)).messages(METADATA_FIELD)
    return {entry.string(1): entry.bytes(2) for entry in entries}.get(METADATA_KEY)
