"""The training loop: from a recipe to a run folder whose best checkpoint predicts."""

import time
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple

from atrous.data.loading import Fault, training_batches
from atrous.progress import Progress, Silent
from atrous.training.averaging import follow
from atrous.training.diagnosis import require_sound_step
from atrous.training.distributed import Processes, joined
from atrous.training.events import write_graph, write_learning_rates
from atrous.training.interrupt import Interrupt
from atrous.training.logs import RunLog
from atrous.training.lookout import Timing, look_at_batches, look_at_step
from atrous.training.memory import describe_memory, keep_freed_memory, memory_row
from atrous.training.optimizer import set_learning_rate
from atrous.training.pace import Pace
from atrous.training.recipe import Recipe
from atrous.training.run import Run, begin, keep, name_of, save
from atrous.training.run_folder import RunFolder
from atrous.training.schedule import learning_rate_factor
from atrous.training.skipping import next_batches
from atrous.training.state import RunState
from atrous.training.step import memory_suffices, update
from atrous.training.trackers import tracking
from atrous.training.uploading import uploaded
from atrous.training.validation import keep_if_best, validate_if_it_can_be_done, validation_is_due
from atrous.training.waiting import TimedBatches

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
    pace: Pace | None = None,
) -> TrainingResult:
    """Train a network and leave a run folder with checkpoints, logs and scores.

    Args:
        recipe: All that the result depends on.
        output: The run's folder.
        resume: Continue the run that is there, exactly from its last save.
        overwrite: Replace the run that is there.
        progress: Where to show how far it is.
        processes: All that train together, where that is known already (`distributed.joined`).
        pace: Follows a clock, and changes how many steps there are so that the training ends in time.

    Returns:
        The folder, how far the run is, and whether that is its end.

    Raises:
        AtrousError: If data, recipe or folder cannot be used; nothing was written then. Later, if more pictures turn
            unreadable than the recipe bears, the disk is full or the loss is no number; the last save is intact then.
    """
    with joined(processes) as processes:
        progress = progress if progress and processes.main else Silent()
        run = begin(recipe, output, resume=resume, overwrite=overwrite, progress=progress, processes=processes)
        with closing(run.folder):
            make_steps(run, pace)
    finished = run.complete and run.state.validated == run.state.step
    return TrainingResult(run.folder, run.state, run.steps, finished)


def make_steps(run: Run, pace: Pace | None = None) -> None:
    """Go from where the run is to its end, or until a signal asks to stop; all is saved then.

    Raises:
        AtrousError: As `train`.
    """
    state, recipe, plan, main = run.state, run.recipe, run.recipe.training, run.processes.main
    timing, faults = Timing(), list[Fault]()
    batches = training_batches(
        run.train_split,
        recipe.augmentation,
        batch_size=plan.batch_size,
        seed=plan.seed,
        first_batch=state.step * plan.accumulation,
        workers=run.workers,
        share=run.processes.share,
        skipped=faults,
    )
    keep_freed_memory()
    arriving = TimedBatches(uploaded(batches, run.arithmetic.device))
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
            if pace is not None:
                pace.keep(run, task)
            if validation_is_due(run):
                save(run)  # before the validation, so that a kill during it loses no step
                validation = validate_if_it_can_be_done(run, interrupt, log)
                if validation is not None:
                    keep_if_best(run, validation, log)
                elif state.validated < state.step:
                    break  # by a signal
                save(run)
            if run.complete:
                break
            task.advance(take_step(run, arriving, faults, timing, log))
            keep(run)
            if run.processes.any(run.clock.rings):
                save(run)
        else:
            save(run)
    run.progress.say(describe_memory(run.arithmetic.device))


def take_step(run: Run, batches: TimedBatches, faults: list[Fault], timing: Timing, log: RunLog | None) -> str:
    """Make one update and log it; return what to show beside the progress.

    Raises:
        ImageError, MaskError: If more pictures cannot be used than the recipe bears; the run is saved then.
        TrainingError: If the loss is no number or the memory does not suffice.
    """
    state, plan = run.state, run.recipe.training
    started = time.monotonic()
    factor = learning_rate_factor(run.recipe.schedule, state.step, run.steps, state.cuts)
    rate = set_learning_rate(run.learner.optimizer, factor)
    run.together.draw_apart(plan.seed, state.step)
    taken = next_batches(run, batches, faults, log)
    waited = time.monotonic() - started
    look_at_batches(run, log, taken)
    with run.processes.hand_in_hand(), memory_suffices(run.recipe):
        loss = update(run.learner, taken, run.loss, run.arithmetic, run.together)
    require_sound_step(run, loss, taken)
    seconds = time.monotonic() - started
    state.count(loss, seconds, SMOOTHING)
    batches.count(seconds)
    if run.learner.average is not None and plan.average_decay is not None:
        follow(run.learner.average, run.learner.network, plan.average_decay, state.step)
    timing.note(waited, seconds)
    look_at_step(run, log, timing, loss, rate)
    speed = run.pictures_per_step / seconds
    if log and (state.step % plan.log_every == 0 or run.complete):
        log.write(
            step=state.step,
            epoch=state.step * run.pictures_per_step / len(run.train_split),
            loss=loss,
            smoothed_loss=state.smoothed_loss,
            learning_rate=rate,
            gradient_norm=state.watch.gradient_norm,
            images_per_second=speed,
            seconds=state.seconds,
            data_wait=batches.share(),
            **memory_row(run.arithmetic.device),
        )
        with log.writing() as events:
            write_learning_rates(events, state.step, run.learner.optimizer)
    return f"loss {state.smoothed_loss:.3f} · rate {rate:.2g} · {speed:.1f} images/s"
