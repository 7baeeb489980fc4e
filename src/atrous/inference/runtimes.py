"""What computes a network: torch, onnxruntime or OpenVINO. The last two read an exported file, without torch."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from atrous.errors import CheckpointError, ConfigError
from atrous.inference.processor import has_bfloat16
from atrous.threads import processors

Runtime = Literal["auto", "torch", "onnxruntime", "openvino"]
WantedPrecision = Literal["auto", "float32", "bfloat16"]
Precision = Literal["float32", "bfloat16"]
EXTRAS = {"onnxruntime": "export", "openvino": "openvino"}
"""The extra of the package that brings each."""
FEW = 8
"""Pictures that onnxruntime has done by the time at which OpenVINO, which is faster then, has begun."""


class Session(Protocol):
    """A network that is ready to compute."""

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Answer float32 RGB [B, 3, H, W] in 0..1."""


class Choice(NamedTuple):
    """What computes, how exactly, and why."""

    runtime: Literal["torch", "onnxruntime", "openvino"]
    precision: Precision
    reason: str

    @property
    def words(self) -> str:
        """One line for those who wait."""
        return self.words_in(self.precision)

    def words_in(self, precision: str) -> str:
        """The same for a file that brings its own precision."""
        return f"Runtime: {self.runtime} in {precision}, {self.reason}."


def choose_runtime(
    wanted: Runtime,
    precision: WantedPrecision,
    *,
    exported: bool,
    gpu: bool = False,
    suffix: str = ".onnx",
    pictures: int | None = None,
) -> Choice:
    """Choose what computes a model.

    Args:
        wanted: As the user says; `auto` takes what is fastest without a conversion that takes minutes.
        precision: `auto` takes bfloat16 where the processor has instructions for it.
        exported: Whether the model is an ONNX or OpenVINO file, else a checkpoint.
        gpu: Whether there is one.
        suffix: The end of an exported file's name.
        pictures: How many there will be, if that is known.

    Raises:
        ConfigError: If it is not installed, or cannot do what is asked for.
    """
    if exported and wanted == "torch":
        kind, others = ("OpenVINO", "openvino") if suffix == ".xml" else ("ONNX", "onnxruntime or openvino")
        raise ConfigError(f"torch reads no {kind} file: take --runtime {others}, or give the checkpoint.")
    if exported and suffix == ".xml" and wanted == "onnxruntime":
        raise ConfigError("onnxruntime reads no OpenVINO file: take --runtime openvino, or export the model as .onnx.")
    if wanted == "auto":
        name, reason = _best_for_file(suffix, precision, pictures) if exported else _best_for_checkpoint(gpu=gpu)
    else:
        name, reason = wanted, "as asked for"
    if name != "torch" and find_spec(name) is None:
        raise ConfigError(f"{name} is not installed: run `pip install 'atrous[{EXTRAS[name]}]'`.")
    if name == "onnxruntime" and precision == "bfloat16":
        raise ConfigError("onnxruntime computes in float32 here: take --precision float32, or --runtime openvino.")
    gains = precision == "auto" and name != "onnxruntime" and (gpu or has_bfloat16())
    return Choice(name, "bfloat16" if gains or precision == "bfloat16" else "float32", reason)


def _best_for_file(
    suffix: str, precision: WantedPrecision, pictures: int | None
) -> tuple[Literal["onnxruntime", "openvino"], str]:
    if suffix == ".xml":
        return "openvino", "whose file it is"
    if find_spec("openvino") is None:
        return "onnxruntime", "since openvino, which is faster, is not installed (`pip install 'atrous[openvino]'`)"
    few = pictures is not None and pictures <= FEW and precision == "float32"  # which is all that onnxruntime does
    if few and find_spec("onnxruntime") is not None:
        return "onnxruntime", "which is ready soonest, for few pictures"
    return "openvino", "the fastest for exported files on this kind of processor"


def _best_for_checkpoint(*, gpu: bool) -> tuple[Literal["torch"], str]:
    if gpu:
        return "torch", "since there is a GPU"
    return "torch", "norms folded, as a checkpoint needs no conversion there (after `atrous export` openvino is faster)"


def open_session(path: Path, choice: Choice) -> Session:
    """Make an exported file ready to compute.

    Raises:
        CheckpointError: If the runtime cannot read the file.
    """
    try:
        session = _openvino(path, choice.precision) if choice.runtime == "openvino" else _onnxruntime(path)
    except Exception as error:  # both raise their own kinds, without a common one
        raise CheckpointError(f"{choice.runtime} cannot read {path} ({_cause(error)}): export it again.") from None

    def answer(batch: NDArray[np.float32]) -> NDArray[Any]:
        try:
            return session(batch)
        except Exception as error:
            raise CheckpointError(
                f"{path} does not take float32 pictures {list(batch.shape)} [B, 3, H, W] ({_cause(error)}): give a "
                f"file that takes RGB in 0..1 of any size."
            ) from None

    return answer


def _cause(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:200] if str(error).strip() else type(error).__name__


def threads() -> int:
    """How many threads a runtime may use: OMP_NUM_THREADS where it is set, as in torch, else all processors."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else processors()


def _onnxruntime(path: Path) -> Session:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: np.asarray(session.run(None, {name: np.ascontiguousarray(batch)})[0])


def _openvino(path: Path, precision: Precision) -> Session:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda batch: np.array(compiled(np.ascontiguousarray(batch))[0])
