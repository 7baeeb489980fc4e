"""What an exported file says about itself, read without the library that computes it."""

import mmap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from atrous.config import Config
from atrous.errors import CheckpointError
from atrous.labels import LabelSpace
from atrous.weights.formats.operators import MalformedError
from atrous.weights.formats.protobuf import Message
from atrous.weights.formats.tflite import tflite_metadata

SUFFIXES = {
    ".onnx": "ONNX",
    ".xml": "OpenVINO IR",
    ".pt2": "torch.export",
    ".tflite": "LiteRT",
    ".mlpackage": "CoreML",
}
"""What can be written, by the end of the name; beside an .xml its weights lie in a .bin, an .mlpackage is a folder."""
OF_ONE_SIZE = frozenset({".tflite", ".mlpackage"})
"""What takes pictures of one size."""
METADATA_KEY = "atrous"
METADATA_FIELD = 14
"""`metadata_props` of ModelProto, in onnx.proto."""
COREML_MODEL = "Data/com.apple.CoreML/model.mlmodel"
"""Where the graph lies in an .mlpackage."""
COREML_FIELDS = (2, 100, 100)
"""`description`, `metadata` and `userDefined` of Model, in Model.proto of coremltools; the last is a map."""


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
    size: tuple[int, int] | None = None
    """(height, width) of the pictures that it takes; any where there is none."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """How pictures and logits lie: [B, 3, H, W] and [B, K, h, w], or [B, H, W, 3] and [B, h, w, K]."""
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
        text = _READERS.get(suffix, _of_onnx)(path)
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


def _of_litert(path: Path) -> bytes | None:
    return tflite_metadata(path.read_bytes()).get(METADATA_KEY)


def _of_coreml(path: Path) -> bytes | None:
    description, metadata, entries = COREML_FIELDS
    model = Message(memoryview((path / COREML_MODEL).read_bytes()))
    return _entry(model.message(description).message(metadata).messages(entries))


def _metadata(memory: mmap.mmap) -> bytes | None:
    return _entry(Message(memoryview(memory)).messages(METADATA_FIELD))


def _entry(entries: list[Message]) -> bytes | None:
    """Of a list of keys and values, as protobuf has them."""
    return {entry.string(1): entry.bytes(2) for entry in entries}.get(METADATA_KEY)


_READERS: dict[str, Callable[[Path], str | bytes | None]] = {
    ".xml": _of_openvino,
    ".pt2": _of_program,
    ".tflite": _of_litert,
    ".mlpackage": _of_coreml,
}
