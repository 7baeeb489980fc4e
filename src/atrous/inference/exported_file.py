"""What an exported ONNX file says about itself, read without any library of ONNX."""

import mmap
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from atrous.config import Config
from atrous.errors import CheckpointError
from atrous.labels import LabelSpace
from atrous.weights.formats.operators import MalformedError
from atrous.weights.formats.protobuf import Message

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


def read_card(path: Path) -> ExportCard | None:
    """Return what the file says about itself, or None if another program wrote it.

    Raises:
        CheckpointError: If the file is missing, damaged or no ONNX file.
    """
    try:
        with path.open("rb") as file:
            text = _metadata(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (MalformedError, ValueError):  # the latter for an empty file
        raise CheckpointError(f"{path} is no ONNX file or a damaged one: get a whole copy of it.") from None
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


def _metadata(memory: mmap.mmap) -> bytes | None:
    entries = Message(memoryview(memory)).messages(METADATA_FIELD)
    return {entry.string(1): entry.bytes(2) for entry in entries}.get(METADATA_KEY)
