"""The training loop: from a recipe to a run folder whose best checkpoint predicts."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import torch

import atrous
from atrous.data import open_split
from atrous.data.loading import Batch, check_samples, default_workers, training_batches
from atrous.data.samples import SegmentationDataset
from atrous.errors import ImageError, MaskError, TrainingError
from atrous.evaluation.evaluate import evaluate, require_same_labels
from atrous.evaluation.report import EvaluationReport, write_report
from atrous.inference.device import DTYPES, Precision, best_device, describe_device, gains_from_bfloat16
from atrous.inference.predictor import load
from atrous.networks import SegmentationNetwork, build_network
from atrous.progress import Progress, Silent
from atrous.training.interrupt import Interrupt
from atrous.training.logs import RunLog
from atrous.training.losses import count_pixels, loss_sum
from atrous.training.optimizer import build_optimizer, describe_optimizer, set_learning_rate
from atrous.training.recipe import Recipe, TrainingConfig
from atrous.training.run_folder import RunFolder
from atrous.training.schedule import learning_rate_factor
from atrous.training.state import RunState, load_state, save_state
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint

SMOOTHING = 0.98
"""Share of the old value in the smoothed loss: it looks back about 50 steps."""


class Arithmetic(NamedTuple):
    """Where and how the network computes while it is trained."""

    device: torch.device
    precision: Precision
    memory_format: torch.memory_format


class TrainingResult(NamedTuple):
    """What a training left behind."""

    folder: RunFolder
    state: RunState
    finished: bool
    """False if it was interrupted: --resume goes on from there."""


def train(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a network and leave a run folder with checkpoints, logs and scores.

    Args:
        recipe: All that the result depends on.
        output: The run's folder.
        resume: Continue the run that is there, exactly from its last save.
        overwrite: Replace the run that is there.
        progress: Where to show how far it is.

    Returns:
        The folder, how far the run is, and whether that is its end.

    Raises:
        AtrousError: If data, recipe or folder cannot be used; nothing was written then. Later, if a file turns
            unreadable, the disk is full or the loss is no number; the last save is intact then.
    """
    progress, folder, plan = progress or Silent(), RunFolder(output), recipe.training
    folder.require_usable(recipe, resume=resume, overwrite=overwrite)
    train_split, val_split = open_data(recipe, progress)
    arithmetic = choose_arithmetic(plan)
    torch.manual_seed(plan.seed)
    network = build_network(recipe.network, train_split.labels.num_classes)
    network = network.to(arithmetic.device).to(memory_format=arithmetic.memory_format)
    optimizer = build_optimizer(recipe.optimizer, network)
    state = load_state(folder.state, network, optimizer) if resume else RunState()
    if resume:
        folder.go_on()
    else:
        folder.begin(recipe)
    workers = default_workers(arithmetic.device) if plan.workers == "auto" else plan.workers
    if workers:
        # A loader process that inherits OpenCV's pool of threads would wait for them forever: end the pool first.
        cv2.setNumThreads(1)
    batches = training_batches(
        train_split,
        recipe.augmentation,
        batch_size=plan.batch_size,
        seed=plan.seed,
        first_batch=state.step * plan.accumulation,
        workers=workers,
    )
    describe_start(recipe, train_split, val_split, network, optimizer, arithmetic, workers, progress)

    def save() -> None:
        require_finite_weights(network, state, folder)
        save_checkpoint(folder.last, network, checkpoint_info(recipe, train_split, state))
        save_state(folder.state, state, network, optimizer)

    network.train()
    with (
        closing(cast("Generator[Batch, None, None]", batches)),  # ends the loader processes, whatever happens
        Interrupt() as interrupt,
        RunLog(folder, state.step, state.validated) as log,
        progress.task("Training", plan.steps, state.step) as task,
    ):
        while not interrupt.requested:
            if validation_is_due(state, plan):
                save()  # before the validation, so that a kill during it loses no step
                report = validate(folder, val_split, interrupt, progress)
                if report is None:
                    break
                keep_if_best(report, recipe, network, val_split, state, folder, log, progress)
                save()
            if state.step == plan.steps:
                break
            started = time.monotonic()
            rate = set_learning_rate(optimizer, learning_rate_factor(recipe.schedule, state.step, plan.steps))
            try:
                taken = list(islice(batches, plan.accumulation))
            except (ImageError, MaskError):
                save()
                raise
            with memory_suffices(recipe):
                loss = update(network, optimizer, taken, train_split.labels.ignore_index, arithmetic)
            require_finite_loss(loss, state, folder)
            state.count(loss, time.monotonic() - started, SMOOTHING)
            speed = plan.batch_size * plan.accumulation / (time.monotonic() - started)
            if state.step % plan.log_every == 0 or state.step == plan.steps:
                epoch = state.step * plan.batch_size * plan.accumulation / len(train_split)
                log.write(
                    step=state.step,
                    epoch=epoch,
                    loss=loss,
                    smoothed_loss=state.smoothed_loss,
                    learning_rate=rate,
                    images_per_second=speed,
                    seconds=state.seconds,
                )
            task.advance(f"loss {state.smoothed_loss:.3f} · rate {rate:.2g} · {speed:.1f} images/s")
        else:
            save()
    return TrainingResult(folder, state, finished=state.step == state.validated == plan.steps)


def open_data(recipe: Recipe, progress: Progress) -> tuple[SegmentationDataset, SegmentationDataset]:
    """Open the splits train and val, and read all of their files once if the recipe says so."""
    splits = open_split(recipe.data, "train"), open_split(recipe.data, "val")
    require_same_labels(splits[0].labels, splits[1])
    if recipe.training.check_first:
        for split in splits:
            check_samples(split, progress)
    return splits


def choose_arithmetic(plan: TrainingConfig) -> Arithmetic:
    """Decide what the plan leaves to the machine."""
    device = best_device()
    precision = plan.precision
    if precision == "auto":
        precision = "bfloat16" if gains_from_bfloat16(device) else "float32"
    channels_last = device.type in ("cpu", "cuda") if plan.channels_last == "auto" else plan.channels_last
    return Arithmetic(device, precision, torch.channels_last if channels_last else torch.contiguous_format)


def update(
    network: SegmentationNetwork,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    ignore_index: int,
    arithmetic: Arithmetic,
) -> float:
    """Make one step down the mean loss over all labelled pixels of the batches; return that loss."""
    device, precision, memory_format = arithmetic
    pixels = max(1, sum(count_pixels(batch.mask, ignore_index) for batch in batches))
    total = 0.0
    optimizer.zero_grad(set_to_none=True)
    for image, mask in batches:
        with torch.autocast(device.type, DTYPES[precision], enabled=precision != "float32"):
            outputs = network.training_logits(
                image.to(device, memory_format=memory_format, non_blocking=True).float() / 255
            )
        loss = loss_sum(outputs, mask.to(device, non_blocking=True), ignore_index) / pixels
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    optimizer.step()
    return total


def require_finite_loss(loss: float, state: RunState, folder: RunFolder) -> None:
    """Stop a run whose loss is no number, before it overwrites its last good save.

    Raises:
        TrainingError: It says what usually helps.
    """
    if not math.isfinite(loss):
        raise _diverged(f"The loss of step {state.step + 1} is {loss}", folder)


def require_finite_weights(network: SegmentationNetwork, state: RunState, folder: RunFolder) -> None:
    """Stop a run whose weights are no numbers: one step too large can do that under a loss that is still finite.

    Raises:
        TrainingError: It says what usually helps.
    """
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise _diverged(f"After step {state.step} the tensor {name} holds values that are no numbers", folder)


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


def validation_is_due(state: RunState, plan: TrainingConfig) -> bool:
    """Whether the validation of this step is still to be made; step 0 has none."""
    every = plan.validate_every or max(1, plan.steps // 10)
    reached = state.step % every == 0 or state.step == plan.steps
    return reached and state.step > 0 and state.validated < state.step


def validate(
    folder: RunFolder, dataset: SegmentationDataset, interrupt: Interrupt, progress: Progress
) -> EvaluationReport | None:
    """Score the last checkpoint as its users will run it; None if a signal broke it off."""
    if interrupt.requested:
        return None
    with interrupt.breaks_off():
        return evaluate(load(folder.last), dataset, progress)
    return None


def keep_if_best(
    report: EvaluationReport,
    recipe: Recipe,
    network: SegmentationNetwork,
    dataset: SegmentationDataset,
    state: RunState,
    folder: RunFolder,
    log: RunLog,
    progress: Progress,
) -> None:
    """Note the scores of the present weights; keep these as the best if they are."""
    scores = report.scores
    state.validated = state.step
    better = scores.mean_iou > state.best_score
    if better:
        state.best_score, state.best_step = scores.mean_iou, state.step
        save_checkpoint(folder.best, network, checkpoint_info(recipe, dataset, state, report))
        write_report(folder.report, report)
    log.write(step=state.step, val_mean_iou=scores.mean_iou, val_pixel_accuracy=scores.pixel_accuracy)
    verdict = "the best so far" if better else f"best {state.best_score:.1%} at step {state.best_step}"
    progress.say(f"step {state.step}: {dataset.split} mIoU {scores.mean_iou:.1%} ({verdict})")


def checkpoint_info(
    recipe: Recipe, dataset: SegmentationDataset, state: RunState, report: EvaluationReport | None = None
) -> CheckpointInfo:
    """What a checkpoint of this run says about itself."""
    scores: dict[str, Any] = {}
    if report is not None:
        scores = {"protocol": report.protocol.model_dump(), **report.scores.model_dump(exclude={"classes"})}
    return CheckpointInfo(
        name=recipe.name,
        network=recipe.network,
        labels=dataset.labels,
        recipe=recipe.model_dump(mode="json"),
        scores=scores,
        provenance={
            "trained_with": f"atrous {atrous.__version__}, torch {torch.__version__}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "step": state.step,
            "seconds": round(state.seconds, 1),
        },
    )


def describe_start(
    recipe: Recipe,
    train_split: SegmentationDataset,
    val_split: SegmentationDataset,
    network: SegmentationNetwork,
    optimizer: torch.optim.Optimizer,
    arithmetic: Arithmetic,
    workers: int,
    progress: Progress,
) -> None:
    """Say what is about to happen, read from the live objects and not from the recipe."""
    labels = train_split.labels
    parameters = sum(parameter.numel() for parameter in network.parameters())
    layout = "channels last" if arithmetic.memory_format is torch.channels_last else "channels first"
    loaders = f"{workers} loader process{'es' * (workers != 1)}" if workers else "loading in this process"
    progress.say(f"{train_split.title}: {len(train_split)} pictures to train, {len(val_split)} to validate")
    progress.say(f"{labels.num_classes} classes: {', '.join(labels.names[:12])}{', ...' * (labels.num_classes > 12)}")
    progress.say(f"{recipe.name}: {parameters:,} parameters, output stride {network.output_stride}")
    progress.say(describe_optimizer(optimizer))
    progress.say(f"{describe_device(arithmetic.device)}, {arithmetic.precision}, {layout}, {loaders}")


def _diverged(what: str, folder: RunFolder) -> TrainingError:
    kept = f"{folder.last} is from before" if folder.last.exists() else "nothing was saved yet"
    return TrainingError(
        f"{what}; {kept}. The learning rate is probably too high: lower optimizer.learning_rate, or raise "
        f"schedule.warmup_steps."
    )
