"""The training loop: from a recipe to a run folder whose best checkpoint predicts."""

import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from atrous.data.loading import Batch, training_batches
from atrous.errors import ImageError, MaskError
from atrous.progress import Progress, Silent
from atrous.training.averaging import follow
from atrous.training.distributed import Processes, joined
from atrous.training.events import write_graph, write_learning_rates
from atrous.training.interrupt import Interrupt
from atrous.training.logs import RunLog
from atrous.training.optimizer import set_learning_rate
from atrous.training.recipe import Recipe
from atrous.training.run import Run, begin, keep, name_of, save
from atrous.training.run_folder import RunFolder
from atrous.training.schedule import learning_rate_factor
from atrous.training.state import RunState
from atrous.training.step import memory_suffices, require_finite_loss, update
from atrous.training.trackers import tracking
from atrous.training.validation import keep_if_best, validate, validation_is_due

SMOOTHING = 0.98
"""Share of the old value in the smoothed loss: it looks back about 50 steps."""


class TrainingResult(NamedTuple):
    """What a training left behind."""

    folder: RunFolder
    state: RunState
    steps: int
    """How many the whole training has."""
    finished: bool
    """False if it was interrupted: --resume goes on from there."""


def train(
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    processes: Processes | None = None,
) -> TrainingResult:
    """Train a network and leave a run folder with checkpoints, logs and scores.

    Args:
        recipe: All that the result depends on.
        output: The run's folder.
        resume: Continue the run that is there, exactly from its last save.
        overwrite: Replace the run that is there.
        progress: Where to show how far it is.
        processes: All that train together, where that is known already (`distributed.joined`).

    Returns:
        The folder, how far the run is, and whether that is its end.

    Raises:
        AtrousError: If data, recipe or folder cannot be used; nothing was written then. Later, if a file turns
            unreadable, the disk is full or the loss is no number; the last save is intact then.
    """
    with joined(processes) as processes:
        progress = progress if progress and processes.main else Silent()
        run = begin(recipe, output, resume=resume, overwrite=overwrite, progress=progress, processes=processes)
        with closing(run.folder):
            make_steps(run)
    finished = run.complete and run.state.validated == run.state.step
    return TrainingResult(run.folder, run.state, run.steps, finished)


def make_steps(run: Run) -> None:
    """Go from where the run is to its end, or until a signal asks to stop; all is saved then.

    Raises:
        AtrousError: As `train`.
    """
    state, recipe, plan, main = run.state, run.recipe, run.recipe.training, run.processes.main
    batches = training_batches(
        run.train_split,
        recipe.augmentation,
        batch_size=plan.batch_size,
        seed=plan.seed,
        first_batch=state.step * plan.accumulation,
        workers=run.workers,
        share=run.processes.share,
    )
    with (
        closing(batches),  # ends the loader processes, whatever happens
        Interrupt() as interrupt,
        tracking(
            plan.trackers if main else (),
            name_of(recipe),
            recipe.model_dump(mode="json"),
            run.folder.trackers,
            run.progress,
        ) as trackers,
        RunLog(run.folder, state.step, state.validated, trackers) if main else nullcontext() as log,
        run.progress.task("Training", run.steps, state.step) as task,
    ):
        if log and plan.show_graph and state.step == 0:
            with log.writing() as events:
                write_graph(events, run.learner.network, recipe.augmentation.crop)
        while not run.processes.any(interrupt.requested):
            if validation_is_due(run):
                save(run)  # before the validation, so that a kill during it loses no step
                validation = validate(run, interrupt)
                if validation is None:
                    break
                keep_if_best(run, validation, log)
                save(run)
            if run.complete:
                break
            task.advance(take_step(run, batches, log))
            keep(run)
        else:
            save(run)


def take_step(run: Run, batches: Iterator[Batch], log: RunLog | None) -> str:
    """Make one update and log it; return what to show beside the progress.

    Raises:
        ImageError, MaskError: If a picture cannot be used; the run is saved then.
        TrainingError: If the loss is no number or the memory does not suffice.
    """
    state, plan = run.state, run.recipe.training
    started = time.monotonic()
    factor = learning_rate_factor(run.recipe.schedule, state.step, run.steps, state.cuts)
    rate = set_learning_rate(run.learner.optimizer, factor)
    run.together.draw_apart(plan.seed, state.step)
    try:
        with run.processes.agreeing():
            taken = list(islice(batches, plan.accumulation))
    except (ImageError, MaskError):
        save(run)
        raise
    with run.processes.hand_in_hand(), memory_suffices(run.recipe):
        loss = update(run.learner, taken, run.loss, run.arithmetic, run.together)
    require_finite_loss(loss, state, run.folder)
    seconds = time.monotonic() - started
    state.count(loss, seconds, SMOOTHING)
    if run.learner.average is not None and plan.average_decay is not None:
        follow(run.learner.average, run.learner.network, plan.average_decay, state.step)
    speed = run.pictures_per_step / seconds
    if log and (state.step % plan.log_every == 0 or run.complete):
        log.write(
            step=state.step,
            epoch=state.step * run.pictures_per_step / len(run.train_split),
            loss=loss,
            smoothed_loss=state.smoothed_loss,
            learning_rate=rate,
            images_per_second=speed,
            seconds=state.seconds,
        )
        with log.writing() as events:
            write_learning_rates(events, state.step, run.learner.optimizer)
    return f"loss {state.smoothed_loss:.3f} · rate {rate:.2g} · {speed:.1f} images/s"
