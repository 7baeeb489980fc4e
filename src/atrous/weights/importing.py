"""`atrous import`: weights of any ecosystem become a checkpoint of ours, with a report that proves it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from atrous.config import nearest
from atrous.errors import CheckpointError
from atrous.files import write_text
from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig, build_network
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from atrous.weights.formats.bundle import index_of, read_tensorflow_checkpoint
from atrous.weights.formats.caffemodel import read_caffemodel
from atrous.weights.formats.graphdef import read_graph_def
from atrous.weights.formats.keras_h5 import is_hdf5, read_keras_h5
from atrous.weights.formats.onnx import read_onnx
from atrous.weights.formats.operators import OperatorGraph
from atrous.weights.formats.single_file import is_single_file, read_single_file
from atrous.weights.formats.tflite import read_tflite
from atrous.weights.formats.torch_file import read_torch_file
from atrous.weights.from_caffe import caffe_layout, caffe_tensors
from atrous.weights.from_frozen_graph import frozen_graph_layers, frozen_graph_pixels
from atrous.weights.from_graph import from_graph, pads_ambiguously
from atrous.weights.from_keras import keras_layout, keras_tensors
from atrous.weights.from_onnx import onnx_layers, onnx_pixels
from atrous.weights.from_pytorch import pytorch_layout
from atrous.weights.from_tensorflow import tensorflow_layout
from atrous.weights.from_tflite import tflite_layers, tflite_pixels
from atrous.weights.graphs.layers import Graph
from atrous.weights.known_labels import unnamed_labels
from atrous.weights.known_pixels import TENSORFLOW_PIXELS
from atrous.weights.parity import Imported, ParityReport, describe_facts
from atrous.weights.pytorch.by_shape import layout_by_shape
from atrous.weights.renaming import Layout, fill

Kind = Literal["tflite", "frozen-graph", "onnx", "pytorch", "tensorflow", "caffe", "keras"]
KINDS: tuple[Kind, ...] = get_args(Kind)

UNDERSTOOD_BY_NOBODY = (
    ArithmeticError,
    AssertionError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    StopIteration,
)
"""What a graph can cause whose bytes are in order but whose sense is not; one border for them all is easier to trust
than a check before each step."""
EXACT = 1e-4
"""The largest relative difference to the file's own graph that rounding explains."""


def import_weights(
    path: Path | str,
    kind: Kind | None = None,
    *,
    network: NetworkConfig | None = None,
    labels: LabelSpace | None = None,
    allow_partial: Sequence[str] = (),
) -> Imported:
    """Read weights of another ecosystem.

    Args:
        path: A .tflite, .pb, .onnx, .pth, .pt, .bin, .safetensors, .caffemodel, .ckpt.index or .h5 file.
        kind: Whose file it is; by default it is recognised by its content.
        network: What a state dict of PyTorch is, whose names are of no known library; its tensors are then matched by
            shape and order.
        labels: The classes, where the file does not name them.
        allow_partial: Patterns such as `aux_classifier.*` of tensors that may be left over or missing.

    Returns:
        The network's config, all of its tensors, its classes and the report.

    Raises:
        CheckpointError: If the file is damaged or hostile, no network of the family, or does not fit wholly.
    """
    path = Path(path)
    kind = kind or recognized(path)
    if kind not in KINDS:
        raise CheckpointError(f"There is no kind of weights `{kind}`: {nearest(kind, KINDS)}.")
    if network is not None and kind != "pytorch":
        raise CheckpointError(f"{path} is of kind {kind}, whose network is read from the file: leave `network` out.")
    match kind:
        case "tflite":
            found = _from_graph(path, "tflite", read_tflite, tflite_layers, tflite_pixels)
        case "frozen-graph":
            found = _from_graph(path, "frozen graph", read_graph_def, frozen_graph_layers, frozen_graph_pixels)
        case "onnx":
            found = _from_graph(path, "ONNX", read_onnx, onnx_layers, onnx_pixels)
        case "pytorch":
            file = read_torch_file(path)
            layout = (
                pytorch_layout(file.tensors, str(path))
                if network is None
                else layout_by_shape(file.tensors, network, str(path), labels.num_classes if labels else None)
            )
            found = _from_tensors(path, file.tensors, layout, file.notes)._replace(labels=file.labels)
        case "tensorflow":
            read = read_single_file if is_single_file(path) else read_tensorflow_checkpoint
            variables = {name: torch.from_numpy(np.array(value)) for name, value in read(path).items()}
            found = _from_tensors(path, variables, tensorflow_layout(variables, str(path)))
        case "keras":
            tensors = keras_tensors(read_keras_h5(path))
            found = _from_tensors(path, tensors, keras_layout(tensors, str(path)))
        case "caffe":
            layers = read_caffemodel(path)
            found = _from_tensors(path, caffe_tensors(layers), caffe_layout(layers, str(path)))
    _require_whole(path, found.report, allow_partial)
    _require_finite(path, found)
    return found._replace(labels=_fitting(labels, found, path))


def save_imported(imported: Imported, path: Path, name: str) -> None:
    """Write what was imported as a checkpoint, whole or not at all.

    Raises:
        OutputError: If the place cannot be written.
    """
    network = build_network(imported.config, imported.num_classes)
    network.load_state_dict(imported.tensors)
    report = imported.report
    info = CheckpointInfo(
        name=name,
        network=imported.config,
        labels=imported.labels or unnamed_labels(imported.num_classes),
        provenance={
            "imported_from": report.source,
            "sha256": report.sha256,
            "ecosystem": report.ecosystem,
            "difference": report.difference,
            "notes": list(report.notes),
        },
    )
    save_checkpoint(path, network, info)


def save_with_report(imported: Imported, path: Path, name: str) -> Path:
    """Write what was imported as a checkpoint, and beside it the report of every tensor, as JSON.

    Returns:
        The path of the report.

    Raises:
        OutputError: If the place cannot be written.
    """
    report = path.with_suffix(".import.json")
    save_imported(imported, path, name)
    write_text(report, imported.report.model_dump_json(indent=1))
    return report


def recognized(path: Path) -> Kind:
    """Return whose file it is, by its first bytes and not by its name.

    Raises:
        CheckpointError: If it is none that is known.
    """
    if is_single_file(path):
        return "tensorflow"
    if path.name.endswith(".index") or ".data-" in path.name or path.with_name(f"{path.name}.index").is_file():
        return "tensorflow"
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): give a file of weights.") from None
    if is_hdf5(path):
        return "keras"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[:4] == b"PK\x03\x04" or head[:1] == b"\x80" or head[8:9] == b"{":  # zip, pickle, safetensors
        return "pytorch"
    if head[:1] == b"\x08" and head[1:2] < b"\x20":  # the version of ONNX's own format comes first
        return "onnx"
    if path.suffix == ".caffemodel":  # it begins with a name, as other protocol buffers do
        return "caffe"
    if head[:1] == b"\x0a":  # a list of nodes
        return "frozen-graph"
    raise CheckpointError(
        f"{path} is none of {', '.join(KINDS)}: give such a file, or say with --as which of them it is."
    )


def _from_graph(
    path: Path,
    ecosystem: str,
    read: Callable[[Path], OperatorGraph],
    layers_of: Callable[[OperatorGraph], Graph],
    pixels_of: Callable[[OperatorGraph], PixelScaleConfig | None],
) -> Imported:
    graph = read(path)
    try:
        layers = layers_of(graph)
        pixels, notes = _pixels(graph, pixels_of(graph))
        found = from_graph(layers, {"pixels": pixels.model_dump()})
    except CheckpointError as error:
        raise CheckpointError(f"{path} holds no network that is known here: {error}.") from None
    except UNDERSTOOD_BY_NOBODY as error:
        raise CheckpointError(
            f"{path} holds a graph that contradicts itself ({type(error).__name__}): get a whole copy of it."
        ) from None
    if not found.difference <= EXACT:  # or no number
        raise CheckpointError(
            f"{path} was recognised, but the network's answers differ from its own by {found.difference:.1e}: it "
            "computes something that is not understood here."
        )
    if graph.quantization:
        notes += (
            "its weights were quantised; here they are the real numbers that they stand for, and activations real",
        )
    if pads_ambiguously(layers):
        notes += (
            "some of its layers pad alike on both sides and others as TensorFlow's SAME, the same at odd sizes alone: "
            "taken alike on both sides; at even sizes it may answer otherwise than where it was made",
        )
    if all(layer.norm is None for layer in layers.layers):
        notes += (
            "its batch norms were folded into the convolutions; here norms that change nothing stand in for them",
        )
    report = ParityReport(
        source=path.name,
        sha256=_sha256(path),
        ecosystem=ecosystem,
        matched=found.matched,
        facts=describe_facts(found.config),
        notes=notes,
        difference=found.difference,
    )
    return Imported(found.config, found.num_classes, found.tensors, None, report)


def _pixels(graph: OperatorGraph, given: PixelScaleConfig | None) -> tuple[PixelScaleConfig, tuple[str, ...]]:
    """The pixel scale of a graph; where it does not say, that of the library that its names come from."""
    if given is not None:
        return given, ()
    names = " ".join(graph.constants).lower()
    if any(word in names for word in ("mobilenetv", "xception_", "feature_extractor", "batchnorm/", "bn_conv")):
        return TENSORFLOW_PIXELS, ("the file does not say how it wants its pixels; taken: -1..1, as TensorFlow's do",)
    return PixelScaleConfig(), ("the file does not say how it wants its pixels; taken: ImageNet's mean and deviation",)


def _from_tensors(path: Path, tensors: Mapping[str, Tensor], layout: Layout, notes: tuple[str, ...] = ()) -> Imported:
    filled = fill(layout, tensors)
    report = ParityReport(
        source=path.name,
        sha256=_sha256(path if path.is_file() else index_of(path)),
        ecosystem=layout.ecosystem,
        matched=filled.matched,
        left_over=filled.left_over,
        missing=filled.missing,
        other_shape=filled.other_shape,
        ignored=tuple(sorted(layout.ignored)),
        facts=describe_facts(layout.config),
        notes=(*layout.notes, *notes),
    )
    return Imported(layout.config, layout.num_classes, filled.tensors, None, report)


def _require_whole(path: Path, report: ParityReport, allowed: Sequence[str]) -> None:
    """Refuse what does not fit wholly, but for what the user has named."""

    def not_allowed(names: Sequence[str]) -> list[str]:  # behind the name of another shape stand the two shapes
        return [name for name in names if not any(fnmatchcase(name.split(" ")[0], pattern) for pattern in allowed)]

    for names, words in (
        (report.other_shape, "has tensors of another shape"),
        (report.missing, "lacks tensors of the network"),
        (report.left_over, "has tensors that no part of the network takes"),
    ):
        found = not_allowed(names)
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise CheckpointError(
                f"{path} was recognised as {report.ecosystem}, but it {words}: {found[0]}{more}; if that is meant, "
                f"name them with --allow-partial '{found[0].split(' ')[0]}'."
            )


def _require_finite(path: Path, found: Imported) -> None:
    broken = [name for name, tensor in found.tensors.items() if not tensor.isfinite().all()]
    if broken:
        theirs = {match.ours: " + ".join(match.theirs) for match in found.report.matched}.get(broken[0], broken[0])
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise CheckpointError(
            f"{path} has tensors whose values are infinite or no numbers: {theirs}{more}; the "
            "training that made them came apart, so take a file from before."
        )


def _fitting(labels: LabelSpace | None, found: Imported, path: Path) -> LabelSpace | None:
    labels = labels or found.labels
    if labels is not None and labels.num_classes != found.num_classes:
        raise CheckpointError(
            f"{path} holds a network of {found.num_classes} classes, but {labels.num_classes} were named: give as many."
        )
    return labels


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
