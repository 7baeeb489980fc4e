"""One step of a training: down the mean loss of its batches, or a sentence that says why it cannot go on."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from atrous.data.loading import Batch
from atrous.errors import TrainingError
from atrous.inference.device import best_device, gains_from_bfloat16
from atrous.networks import SegmentationNetwork, WeightedLogits
from atrous.training.losses import Loss
from atrous.training.recipe import Recipe, TrainingConfig, TrainingPrecision
from atrous.training.run_folder import RunFolder
from atrous.training.state import Learner, RunState
from atrous.training.together import Together


class Arithmetic(NamedTuple):
    """Where and how the network computes while it is trained."""

    device: torch.device
    precision: TrainingPrecision
    memory_format: torch.memory_format


def choose_arithmetic(plan: TrainingConfig) -> Arithmetic:
    """Decide what the plan leaves to the machine."""
    device = best_device()
    precision = plan.precision
    if precision == "auto":
        precision = "bfloat16" if gains_from_bfloat16(device) else "float32"
    channels_last = device.type in ("cpu", "cuda") if plan.channels_last == "auto" else plan.channels_last
    return Arithmetic(device, precision, torch.channels_last if channels_last else torch.contiguous_format)


def update(
    learner: Learner, batches: Sequence[Batch], loss: Loss, arithmetic: Arithmetic, together: Together | None = None
) -> float:
    """Make one step down the loss of all batches together, as if they were one; return that loss.

    Batch norm alone still sees each batch by itself. Where several processes train `together`, the batches are this
    one's shares, and step and loss are those of all. If loss or gradient is no number, no weight is changed.
    """
    network, optimizer, scaler, _ = learner
    together = together or Together(network)
    count, add_up = together.processes.count, together.processes.sum
    sizes = loss.sizes([batch.mask for batch in batches], add_up)
    total = 0.0
    optimizer.zero_grad(set_to_none=True)
    for number, (image, mask) in enumerate(batches, 1):
        outputs = forward(partial(together.answers, last=number == len(batches)), image, arithmetic)
        share = loss.of(outputs, mask.to(arithmetic.device, non_blocking=True), sizes)
        scaler.scale(share * count).backward()  # type: ignore[no-untyped-call]  # of `count` gradients the mean is taken
        total += share.item()
    together.settle()
    total = add_up([total])[0]
    if math.isfinite(total) and (scaler.is_enabled() or math.isfinite(gradient_norm(network))):
        scaler.step(optimizer)  # float16 leaves it out where a gradient has overflown, and scales less from then on
        scaler.update()
    return total


def forward(
    answers: Callable[[Tensor], list[WeightedLogits]], image: Tensor, arithmetic: Arithmetic
) -> list[WeightedLogits]:
    """The training answers to a batch of bytes [B, 3, H, W], in the arithmetic of the training."""
    device, precision, memory_format = arithmetic
    with torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32"):
        return answers(image.to(device, memory_format=memory_format, non_blocking=True).float() / 255)


def gradient_norm(network: SegmentationNetwork) -> float:
    """The Euclidean norm of the present gradient over all parameters."""
    return float(get_total_norm(weight.grad for weight in network.parameters() if weight.grad is not None))


def require_finite_weights(network: SegmentationNetwork, state: RunState, folder: RunFolder) -> None:
    """Stop a run whose weights are no numbers: one step too large can do that under a loss that is still finite.

    Raises:
        TrainingError: It says what usually helps.
    """
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            kept = f"{folder.last} is from before" if folder.last.exists() else "nothing was saved yet"
            raise TrainingError(
                f"After step {state.step} the tensor {name} holds values that are no numbers; {kept}. The learning "
                f"rate is probably too high: lower optimizer.learning_rate, or raise schedule.warmup_steps."
            )


@contextmanager
def memory_suffices(recipe: Recipe) -> Iterator[None]:
    """Say what to lower if the memory does not suffice.

    Raises:
        TrainingError: Instead of torch's own error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # Torch has a type of its own for the memory of a GPU, none for that of the machine.
        words = ("can't allocate memory", "not enough memory")
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and not any(w in str(error) for w in words):
            raise
        size, (height, width) = recipe.training.batch_size, recipe.augmentation.crop
        raise TrainingError(
            f"The memory does not suffice for batches of {size} crops of {width}x{height} pixels: lower "
            f"training.batch_size, raising training.accumulation instead, or lower augmentation.crop."
        ) from None
