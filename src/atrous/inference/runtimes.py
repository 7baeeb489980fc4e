"""What computes a network: torch, or without torch one of those that read an exported file."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from atrous.errors import CheckpointError, ConfigError
from atrous.inference.exported_file import SUFFIXES
from atrous.inference.phone_runtimes import coreml_session, litert_session
from atrous.inference.processor import has_bfloat16
from atrous.threads import processors

FileRuntime = Literal["onnxruntime", "openvino", "litert", "coreml"]
"""What reads exported files."""
Runtime = Literal["auto", "torch", "onnxruntime", "openvino", "litert", "coreml"]
WantedPrecision = Literal["auto", "float32", "bfloat16"]
Precision = Literal["float32", "bfloat16"]
EXTRAS = {"onnxruntime": "export", "openvino": "openvino", "litert": "litert", "coreml": "coreml"}
"""The extra of the package that brings each."""
MODULES = {"litert": "ai_edge_litert", "coreml": "coremltools"}
"""What each is imported as, where its name is another."""
READERS: dict[str, tuple[FileRuntime, ...]] = {
    ".onnx": ("onnxruntime", "openvino"),
    ".xml": ("openvino",),
    ".tflite": ("litert",),
    ".mlpackage": ("coreml",),
}
"""What reads which files."""
FEW = 8
"""Pictures that onnxruntime has done by the time at which OpenVINO, which is faster then, has begun."""


class Session(Protocol):
    """A network that is ready to compute."""

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """Answer float32 RGB [B, 3, H, W] in 0..1."""


class Choice(NamedTuple):
    """What computes, how exactly, and why."""

    runtime: Literal["torch", "onnxruntime", "openvino", "litert", "coreml"]
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
    _require_reader(wanted, suffix if exported else None)
    if wanted == "auto":
        name, reason = _best_for_file(suffix, precision, pictures) if exported else _best_for_checkpoint(gpu=gpu)
    else:
        name, reason = wanted, "as asked for"
    if name != "torch" and not is_installed(name):
        raise ConfigError(f"{name} is not installed: run `pip install 'atrous[{EXTRAS[name]}]'`.")
    knows_bfloat16 = name in ("torch", "openvino")
    if not knows_bfloat16 and precision == "bfloat16":
        other = ", or --runtime openvino" if name == "onnxruntime" and suffix == ".onnx" else ""
        raise ConfigError(f"{name} computes in float32 here: take --precision float32{other}.")
    gains = precision == "auto" and knows_bfloat16 and (gpu or has_bfloat16())
    return Choice(name, "bfloat16" if gains or precision == "bfloat16" else "float32", reason)


def is_installed(runtime: str) -> bool:
    """Whether a runtime could be imported."""
    return find_spec(MODULES.get(runtime, runtime)) is not None


def _require_reader(wanted: Runtime, suffix: str | None) -> None:
    """Refuse a runtime that cannot read a file of this kind; None stands for a checkpoint."""
    if suffix is None and wanted in ("litert", "coreml"):
        end = next(end for end, readers in READERS.items() if readers == (wanted,))
        raise ConfigError(f"{wanted} reads no checkpoint: run `atrous export MODEL model{end}`, and give that file.")
    if suffix is None or wanted == "auto" or wanted in READERS.get(suffix, READERS[".onnx"]):
        return
    others = " or ".join(READERS.get(suffix, READERS[".onnx"]))
    kind = SUFFIXES.get(suffix, "ONNX")
    raise ConfigError(f"{wanted} reads no {kind} file: take --runtime {others}, or give the checkpoint.")


def _best_for_file(suffix: str, precision: WantedPrecision, pictures: int | None) -> tuple[FileRuntime, str]:
    (best, *others) = READERS.get(suffix, READERS[".onnx"])
    if not others:
        return best, "whose file it is"
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
        session = _session(path, choice)
    except Exception as error:  # each raises its own kinds, without a common one
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


def _session(path: Path, choice: Choice) -> Session:
    match choice.runtime:
        case "openvino":
            return _openvino(path, choice.precision)
        case "litert":
            return litert_session(path, threads())
        case "coreml":
            return coreml_session(path)
        case "onnxruntime" | "torch":
            return _onnxruntime(path)


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
