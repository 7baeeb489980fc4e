"""Any model, checkpoint or exported file, ready to predict; torch is imported only where it computes."""

from pathlib import Path
from typing import TYPE_CHECKING

from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError
from atrous.inference.exported import SUFFIX, ExportedPredictor, load_exported
from atrous.inference.runtimes import Runtime, WantedPrecision, choose_runtime
from atrous.inference.views import PLAIN, Views
from atrous.progress import Progress, Silent

if TYPE_CHECKING:
    from atrous.inference.predictor import Predictor


def open_predictor(
    model: str | Path,
    *,
    runtime: Runtime = "auto",
    precision: WantedPrecision = "float32",
    crf: DenseCRFConfig | None = None,
    views: Views = PLAIN,
    output_stride: int | None = None,
    abstain: float = 0.0,
    progress: Progress | None = None,
) -> "Predictor | ExportedPredictor":
    """Read a model and make it predict; `progress` says what computes it, and why.

    Args:
        model: A path (checkpoint or exported .onnx), a name that `atrous models` lists, or `hf://owner/model`.
        runtime: What computes; `auto` chooses.
        precision: The type of its arithmetic; `auto` takes bfloat16 where the processor has it.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.
        output_stride: Another one than the network was trained at; an exported file keeps its own.
        abstain: Where the largest probability is lower, masks have the ignore value.
        progress: Shows a download and what computes.

    Raises:
        CheckpointError: If the file is missing, damaged, or neither of the two.
        DownloadError: If it cannot be fetched.
        ConfigError: If the choices do not fit the model or each other.
    """
    progress = progress or Silent()
    if str(model).lower().endswith(SUFFIX):
        if output_stride is not None:
            raise ConfigError("An exported file keeps its output stride: give --output-stride to `atrous export`.")
        choice = choose_runtime(runtime, precision, exported=True)
        progress.say(choice.words)
        exported = load_exported(model, choice=choice, crf=crf, views=views)
        exported.abstain = abstain
        return exported
    from atrous.inference.device import best_device
    from atrous.inference.predictor import load

    choice = choose_runtime(runtime, precision, exported=False, gpu=best_device().type == "cuda")
    progress.say(choice.words)
    return load(
        model, crf=crf, views=views, output_stride=output_stride, abstain=abstain, choice=choice, progress=progress
    )
