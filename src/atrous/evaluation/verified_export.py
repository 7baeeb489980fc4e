"""A checkpoint as a file for other runtimes, which is kept only if it answers and scores like its network."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from atrous.data.samples import SegmentationDataset
from atrous.errors import ConfigError
from atrous.evaluation.export_scores import LARGEST_LOSS, ScoreComparison, compare_scores, require_scores
from atrous.files import cannot_write, make_folder, replacing
from atrous.inference.export_gate import Agreement, require_agreement
from atrous.inference.exported import ExportedPredictor
from atrous.inference.exported_file import OF_ONE_SIZE, SUFFIXES, ExportCard
from atrous.inference.opening import open_predictor
from atrous.inference.predictor import Predictor
from atrous.inference.to_onnx import Output, card_of, restamp_onnx, write_onnx
from atrous.inference.window_memory import SMALLEST
from atrous.progress import Progress, Silent
from atrous.weights.checkpoint import Checkpoint

USUAL_SIZE = (513, 513)
"""(height, width) that the papers predict at."""

Writer = Callable[[Path, ExportCard], None]


class Export(NamedTuple):
    """What is wanted of an exported file."""

    output: Output = "logits"
    calibration: SegmentationDataset | None = None
    """Pictures that show which values occur: the file computes in int8 if there are some."""
    measured: SegmentationDataset | None = None
    """Labelled pictures on which the file must score like the network; int8 needs some."""
    size: tuple[int, int] | None = None
    """(height, width) of the pictures, for formats of one size; 513x513 by default, as in the papers."""
    largest_loss: float | None = None
    """Points of mIoU that may be lost there; by default 0.1, and 1 for int8."""


class Verified(NamedTuple):
    """How like its network a file answers that was kept."""

    agreement: Agreement
    comparison: ScoreComparison | None


def export_verified(path: Path, model: Checkpoint, wanted: Export, progress: Progress | None = None) -> Verified:
    """Write a network in the format that the name ends with, if the file answers and scores like it.

    Raises:
        ConfigError: If the name ends otherwise, the choices do not fit each other, or what writes is not installed.
        ExportError: If it answers otherwise, or loses more than is allowed; then nothing is written.
        OutputError: If the place cannot be written.
    """
    progress = progress or Silent()
    _require_possible(path, wanted)
    card = card_of(model.network, model.info, wanted.output).model_copy(update=_form(path.suffix.lower(), wanted))
    if wanted.calibration is not None:
        card = card.model_copy(update={"precision": "int8"})
    with TemporaryDirectory() as scratch, _beside(path) as folder:
        draft = Path(folder) / path.with_suffix(path.suffix.lower()).name
        write = _writer(draft.suffix, model, card, wanted, Path(scratch), progress)
        write(draft, card)
        agreement = require_agreement(draft, model.network, card)
        comparison = _compared(draft, model, wanted, progress)
        if comparison is not None:
            allowed = LARGEST_LOSS[card.precision] if wanted.largest_loss is None else wanted.largest_loss
            require_scores(comparison, allowed)
            write(draft, card.model_copy(update={"comparison": comparison.model_dump(mode="json")}))
        for part in sorted(Path(folder).iterdir()):  # .bin before .xml, without which nobody reads it
            _keep(part, path.with_suffix(part.suffix) if part.suffix == ".bin" else path)
    return Verified(agreement, comparison)


def _require_possible(path: Path, wanted: Export) -> None:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        kinds = ", ".join(f"{end} ({kind})" for end, kind in SUFFIXES.items())
        raise ConfigError(f"{path} ends like no format that is written: give it a name that ends with one of {kinds}.")
    if suffix == ".mlpackage" and sys.platform != "darwin":
        raise ConfigError("A CoreML file can be checked on macOS alone: export it there.")
    if suffix not in OF_ONE_SIZE and wanted.size is not None:
        raise ConfigError(f"A {suffix} takes pictures of any size: leave out --size.")
    if wanted.size is not None and min(wanted.size) < SMALLEST:
        raise ConfigError(
            f"--size {wanted.size[0]}x{wanted.size[1]} is too small: give at least {SMALLEST}x{SMALLEST}."
        )
    if wanted.calibration is not None and suffix in (".pt2", ".mlpackage"):
        raise ConfigError(
            f"A {suffix} is written in float32 alone: for --int8 let the name end with .onnx, .xml or .tflite."
        )
    if wanted.calibration is not None and wanted.measured is None:
        raise ConfigError("What int8 loses must be measured: give labelled pictures with --data.")


def _form(suffix: str, wanted: Export) -> dict[str, Any]:
    """What a card says of the pictures that formats of one size take."""
    if suffix not in OF_ONE_SIZE:
        return {}
    return {"size": wanted.size or USUAL_SIZE, "layout": "nhwc" if suffix == ".tflite" else "nchw"}


def _keep(part: Path, path: Path) -> None:
    if not part.is_dir():
        with replacing(path) as place:
            os.replace(part, place)
        return
    try:
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _beside(path: Path) -> "TemporaryDirectory[str]":
    """A folder on the same disk, so that what is kept need not be copied."""
    folder = make_folder(path.parent)
    try:
        return TemporaryDirectory(prefix=".export-", dir=folder)
    except OSError as error:
        raise cannot_write(path, error) from error


def _writer(
    suffix: str, model: Checkpoint, card: ExportCard, wanted: Export, scratch: Path, progress: Progress
) -> Writer:
    """Do once what takes long; what comes back writes the result, with any card."""
    progress.say("Tracing the network.")
    if card.size is not None:
        return _writer_of_one_size(suffix, model, card, wanted, progress)
    if suffix == ".pt2":
        from atrous.inference.to_program import program_of, write_program

        return partial(write_program, program_of(model.network, wanted.output))
    graph = scratch / "float32.onnx"
    write_onnx(graph, model.network, card_of(model.network, model.info, wanted.output))
    if wanted.calibration is not None:
        from atrous.inference.to_int8 import write_int8

        images = _calibrating(wanted.calibration, progress)
        write_int8(graph, scratch / "int8.onnx", images, model.network.num_classes)
        graph = scratch / "int8.onnx"
    if suffix == ".onnx":
        return partial(restamp_onnx, graph)
    from atrous.inference.to_openvino import write_openvino

    return partial(write_openvino, graph)


def _writer_of_one_size(suffix: str, model: Checkpoint, card: ExportCard, wanted: Export, progress: Progress) -> Writer:
    size = card.size or USUAL_SIZE
    if suffix == ".mlpackage":
        from atrous.inference.to_coreml import coreml_of, write_coreml

        return partial(write_coreml, coreml_of(model.network, wanted.output, size))
    from atrous.inference.to_litert import litert_of, write_litert

    content = litert_of(model.network, wanted.output, size)
    if wanted.calibration is not None:
        from atrous.inference.to_litert_int8 import quantized

        content = quantized(content, _calibrating(wanted.calibration, progress), card)
    return partial(write_litert, content)


def _calibrating(dataset: SegmentationDataset, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a data set, once that is said."""
    progress.say(f"Calibrating on {len(dataset)} pictures of {dataset.title}.")
    return (dataset[index].image for index in range(len(dataset)))


def _compared(draft: Path, model: Checkpoint, wanted: Export, progress: Progress) -> ScoreComparison | None:
    if wanted.measured is None:
        return None
    network = Predictor(model.network, model.info.labels, name=model.info.name, device=torch.device("cpu"))
    file: Predictor | ExportedPredictor = open_predictor(draft, pictures=0)
    return compare_scores(network, file, wanted.measured, progress)
