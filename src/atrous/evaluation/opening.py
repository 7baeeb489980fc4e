"""A model made ready to be scored: by default computed as it is stored, as in the training loop and from Python."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from atrous.crf import DenseCRFConfig
from atrous.inference.exported import ExportedPredictor
from atrous.inference.exported_file import is_exported
from atrous.inference.opening import open_predictor
from atrous.inference.runtimes import Runtime, WantedPrecision
from atrous.inference.views import PLAIN, Views
from atrous.progress import Progress

if TYPE_CHECKING:
    from atrous.inference.predictor import Predictor


def open_for_scoring(
    model: str | Path,
    *,
    runtime: Runtime = "auto",
    precision: WantedPrecision = "float32",
    crf: DenseCRFConfig | None = None,
    views: Views = PLAIN,
    output_stride: int | None = None,
    progress: Progress | None = None,
) -> "Predictor | ExportedPredictor":
    """Read a model; where no runtime is asked for, its scores are those of the training loop to the last digit.

    Args:
        model: A path, a name that `atrous models` lists, or `hf://owner/model`.
        runtime: What computes; `auto` takes a checkpoint without folding its norms, which would round otherwise.
        precision: The type of its arithmetic.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored.
        output_stride: Another one than the network was trained at.
        progress: Shows a download and what computes.

    Raises:
        CheckpointError: If the file is missing, damaged, or no model.
        DownloadError: If it cannot be fetched.
        ConfigError: If the choices do not fit the model or each other.
    """
    if runtime == "auto" and precision == "float32" and not is_exported(model):
        from atrous.inference.predictor import load

        return load(model, crf=crf, views=views, output_stride=output_stride, progress=progress)
    return open_predictor(
        model,
        runtime=runtime,
        precision=precision,
        crf=crf,
        views=views,
        output_stride=output_stride,
        progress=progress,
    )


def recipe_of(model: str | Path) -> dict[str, Any]:
    """The recipe that a checkpoint was trained by; empty where the model does not say.

    Args:
        model: As in `open_for_scoring`.

    Raises:
        CheckpointError: If the file is missing, damaged, or no model.
        DownloadError: If it cannot be fetched.
    """
    if is_exported(model):
        return {}
    from atrous.weights.checkpoint import read_info
    from atrous.weights.finding import find_model

    return read_info(find_model(model)).recipe
