"""Why a step ends in no number: where that first arose, and what to change."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from atrous.data.loading import Batch
from atrous.errors import TrainingError
from atrous.networks import SegmentationNetwork
from atrous.training.run import Run
from atrous.training.step import forward, gradient_norm

LOWER_THE_RATE = "The learning rate is probably too high: lower optimizer.learning_rate, or raise schedule.warmup_steps"


class Origin(NamedTuple):
    """Where values first are no numbers."""

    where: str
    remedy: str = LOWER_THE_RATE


def require_sound_step(run: Run, loss: float, batches: Sequence[Batch]) -> None:
    """Stop a run whose loss or gradient is no number; its weights are those before the step, and so is its last save.

    Raises:
        TrainingError: It says where that first arose, at which learning rate, and what usually helps.
    """
    norm = gradient_norm(run.learner.network) if math.isfinite(loss) else math.nan
    overflow_is_expected = run.learner.scaler.is_enabled()  # float16 leaves such a step out and scales less
    if math.isfinite(loss) and (math.isfinite(norm) or overflow_is_expected):
        run.state.watch.gradient_norm = norm
        return
    origin = find_origin(run, batches)
    before = run.state.watch.gradient_norm
    numbers = [f"learning rate {run.learner.optimizer.param_groups[0]['lr']:.3g}"]
    numbers += [] if math.isnan(before) else [f"gradient norm of the step before {before:.3g}"]
    folder = run.folder
    kept = f"{folder.last} is from before" if folder.last.exists() else "nothing was saved yet"
    raise TrainingError(
        f"Step {run.state.step + 1} was not made, for its {'gradient' if math.isfinite(loss) else 'loss'} is no number "
        f"({loss if not math.isfinite(loss) else norm}): {origin.where} ({', '.join(numbers)}); {kept}. "
        f"{origin.remedy}."
    )


def find_origin(run: Run, batches: Sequence[Batch]) -> Origin:
    """Where values of a step first are no numbers: weights, a layer's answers, the loss, or a gradient."""
    network = run.learner.network
    if spoilt := [name for name, tensor in network.state_dict().items() if _spoilt(tensor) and "running_" not in name]:
        return Origin(f"the weights {spoilt[0]} are none since the step before, with {len(spoilt) - 1} other tensors")
    with torch.no_grad():  # all batches in all processes, for they may be normalized together
        found = run.processes.gather([_on_the_way(run, batch) for batch in batches])
    if origins := [origin for some in found for origin in some if origin]:
        return origins[0]
    gradients = [
        name for name, weight in network.named_parameters() if weight.grad is not None and _spoilt(weight.grad)
    ]
    if gradients:  # the way back begins at the last layer
        return Origin(f"going back it arose at {gradients[-1]}, in {len(gradients)} tensors in all", _remedy(run))
    return Origin("it cannot be found again, so it came from chance such as dropout")


def _on_the_way(run: Run, batch: Batch) -> Origin | None:
    """Whether it arises between a batch and its loss."""
    layers, outputs = _followed(run, batch.image)
    if layers:
        return Origin(f"it arose in {_described(run.learner.network, layers[0])}", _remedy(run))
    share = run.loss.of(outputs, batch.mask.to(run.arithmetic.device), run.loss.sizes([batch.mask]))
    if torch.isfinite(share):
        return None
    terms = " + ".join(term.name for term in run.loss.terms)
    return Origin(f"all answers are numbers, it arose in the loss {terms}", "Choose another loss.kind")


def _followed(run: Run, image: Tensor) -> tuple[list[str], Any]:
    """The layers whose answers are no numbers, in their order, and the answers of the network."""
    found: list[str] = []

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and _spoilt(output):
            found.append(name)

    named = [(name, module) for name, module in run.learner.network.named_modules() if not any(module.children())]
    hooks = [module.register_forward_hook(partial(note, name)) for name, module in named]
    try:
        outputs = forward(run.learner.network.training_logits, image, run.arithmetic)
    finally:
        for hook in hooks:
            hook.remove()
    return found, outputs


def _described(network: SegmentationNetwork, name: str) -> str:
    module = network.get_submodule(name)
    weights = [float(weight.detach().abs().max()) for weight in module.parameters(recurse=False)]
    largest = f", whose largest weight is {max(weights):.3g}" if weights else ""
    return f"the answer of {name} ({type(module).__name__}{largest})"


def _remedy(run: Run) -> str:
    if run.arithmetic.precision == "float16":
        return f"float16 ends at 65504: set training.precision to bfloat16 or float32. {LOWER_THE_RATE}"
    return LOWER_THE_RATE


def _spoilt(tensor: Tensor) -> bool:
    return not bool(torch.isfinite(tensor).all())
