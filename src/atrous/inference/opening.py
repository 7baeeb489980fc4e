"""Any model, checkpoint or exported file, ready to predict; torch is imported only where it computes."""

from pathlib import Path
from typing import TYPE_CHECKING

from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError
from atrous.inference.exported import ExportedPredictor, load_exported
from atrous.inference.exported_file import is_exported
from atrous.inference.runtimes import Runtime, WantedPrecision, choose_runtime
from atrous.inference.views import PLAIN, Views
from atrous.labels import LabelSpace
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
    labels: LabelSpace | None = None,
    pictures: int | None = None,
    compiled: bool = False,
    progress: Progress | None = None,
) -> "Predictor | ExportedPredictor":
    """Read a model and make it predict; `progress` says what computes it, and why.

    Args:
        model: A path (checkpoint or exported .onnx, .xml or .pt2), a name that `atrous models` lists, or `hf://owner/model`.
        runtime: What computes; `auto` chooses.
        precision: The type of its arithmetic; `auto` takes bfloat16 where the processor has it.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.
        output_stride: Another one than the network was trained at; an exported file keeps its own.
        abstain: Where the largest probability is lower, masks have the ignore value.
        labels: What the outputs mean, for an exported file of another program.
        pictures: How many there will be, if that is known: for few it matters how soon the first is done.
        compiled: Whether torch compiles the network; for many pictures of one size.
        progress: Shows a download and what computes.

    Raises:
        CheckpointError: If the file is missing, damaged, or neither of the two.
        DownloadError: If it cannot be fetched.
        ConfigError: If the choices do not fit the model or each other.
    """
    progress = progress or Silent()
    suffix = Path(model).suffix.lower()
    if compiled and (runtime not in ("auto", "torch") or (is_exported(model) and suffix != ".pt2")):
        raise ConfigError("--compile is for torch, and other runtimes do this by themselves: leave it out.")
    if is_exported(model) and suffix != ".pt2":
        if output_stride is not None:
            raise ConfigError("An exported file keeps its output stride: give --output-stride to `atrous export`.")
        choice = choose_runtime(runtime, precision, exported=True, suffix=suffix, pictures=pictures)
        exported = load_exported(model, choice=choice, labels=labels, crf=crf, views=views)
        progress.say(choice.words_in(exported.precision))
        exported.abstain = abstain
        return exported
    if labels is not None:
        raise ConfigError(
            "--labels is for exported files that do not name their classes: leave it out for a checkpoint."
        )
    from atrous.inference.device import best_device
    from atrous.inference.predictor import load

    choice = choose_runtime(runtime, precision, exported=False, gpu=best_device().type == "cuda")
    progress.say(choice.words)
    return load(
        model,
        crf=crf,
        views=views,
        output_stride=output_stride,
        abstain=abstain,
        choice=choice,
        compiled=compiled,
        progress=progress,
    )
