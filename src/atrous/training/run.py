"""A run: all that is alive while a network is trained, how it begins, and how it is saved."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch.amp import GradScaler

import atrous
from atrous.data import open_split
from atrous.data.cache import CachedDataset
from atrous.data.fraction import DrawnSamples
from atrous.data.loading import check_samples, default_workers
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.evaluate import require_same_labels
from atrous.evaluation.report import EvaluationReport
from atrous.files import write_text
from atrous.inference.device import describe_device
from atrous.networks import SegmentationNetwork, build_network, deviations
from atrous.networks.layers import freeze
from atrous.networks.synchronized_norms import to_sync_batch_norm
from atrous.progress import Progress
from atrous.training.averaging import begin_average
from atrous.training.class_weights import NOT_COUNTED, ClassPixels, count_class_pixels
from atrous.training.clock import Clock
from atrous.training.compiling import compile_answers
from atrous.training.distributed import ALONE, Processes
from atrous.training.losses import Loss, build_loss, describe_loss, needs_pixel_counts
from atrous.training.optimizer import build_optimizer, describe_optimizer
from atrous.training.recipe import Recipe
from atrous.training.run_folder import RunFolder
from atrous.training.selection import require_known_class
from atrous.training.settings import Settings, read_settings
from atrous.training.state import Learner, RunState, load_state, save_state
from atrous.training.step import Arithmetic, choose_arithmetic, require_finite_weights
from atrous.training.together import Together, describe_together, require_a_picture_each
from atrous.training.trackers import require_installed
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from atrous.weights.finding import find_model
from atrous.weights.starting import calibrate_norms, start_from

CALIBRATION_PICTURES = 16
"""That folded batch norms are given their statistics by."""


@dataclass(frozen=True)
class Run:
    """What the steps, validations and saves of one training work on."""

    recipe: Recipe
    folder: RunFolder
    train_split: SegmentationDataset
    val_split: SegmentationDataset
    learner: Learner
    loss: Loss
    arithmetic: Arithmetic
    state: RunState
    progress: Progress
    together: Together
    clock: Clock

    @property
    def processes(self) -> Processes:
        """All that train it."""
        return self.together.processes

    @property
    def settings(self) -> Settings:
        """What it really does at this moment."""
        plan = self.recipe.training
        return read_settings(
            self.learner,
            self.arithmetic,
            self.recipe.schedule,
            steps=self.steps,
            cuts=self.state.cuts,
            batch=(plan.batch_size, plan.accumulation),
            crop=self.recipe.augmentation.crop,
            pictures=len(self.train_split),
            workers=self.workers,
        )

    @property
    def steps(self) -> int:
        """How many updates the training has, if it does not stop early."""
        return self.state.steps or self.recipe.training.steps_for(len(self.train_split))

    @property
    def pictures_per_step(self) -> int:
        """How many pictures make one update."""
        return self.recipe.training.batch_size * self.recipe.training.accumulation

    @property
    def workers(self) -> int:
        """How many processes read and augment for this one."""
        workers = self.recipe.training.workers
        return default_workers(self.arithmetic.device, self.processes.here) if workers == "auto" else workers

    @property
    def complete(self) -> bool:
        """Whether all steps are made, or no better score is hoped for; the last validation may still be due."""
        return self.state.step == self.steps or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        """Whether so many validations brought no better score that the training ends."""
        patience = self.recipe.training.stop_after
        return patience is not None and self.state.unimproved >= patience


def begin(
    recipe: Recipe, output: Path, *, resume: bool, overwrite: bool, progress: Progress, processes: Processes = ALONE
) -> Run:
    """Make a run ready for its next step; the folder is written only once everything else has been found usable.

    A run that is to go on, but was killed before its first save, is begun anew: no step of it is lost.

    Raises:
        AtrousError: If data, recipe or folder cannot be used.
    """
    folder = RunFolder(output)
    with processes.agreeing():
        require_a_picture_each(recipe.training.batch_size, processes)
        if processes.main:
            require_installed(recipe.training.trackers)
            folder.require_usable(recipe, resume=resume, overwrite=overwrite)
    resume = processes.from_main(lambda: resume and folder.state.exists())
    train_split, val_split = open_data(recipe, processes, progress, bearable=recipe.training.skip_pictures * resume)
    arithmetic = processes.from_main(lambda: choose_arithmetic(recipe.training))
    torch.manual_seed(recipe.training.seed)
    network = processes.main_first(lambda: build_network(recipe.network, train_split.labels.num_classes))
    start = begin_weights(network, recipe, train_split) if processes.main and not resume else None
    processes.hand_out(network.state_dict().values())
    if processes.count > 1 and recipe.network.batch_norm.synchronized:
        to_sync_batch_norm(network)
    network = network.to(arithmetic.device).to(memory_format=arithmetic.memory_format).train()
    if recipe.training.freeze_backbone:
        freeze(network.backbone)
    learner = begin_learner(network, recipe, arithmetic)
    if recipe.training.compile:
        compile_answers(network)
    state = load_state(folder.state, learner, processes) if resume else RunState()
    if needs_pixel_counts(recipe.loss) and not state.class_pixels:
        state.class_pixels = count_together(train_split, processes, progress)
    pixels = ClassPixels(*state.class_pixels) if state.class_pixels else NOT_COUNTED
    loss = build_loss(recipe.loss, train_split.labels, pixels, arithmetic.device)
    with processes.agreeing():
        if processes.main:
            folder.go_on() if resume else folder.begin(recipe)
    together, clock = Together(network, processes), Clock(recipe.training.save_minutes)
    run = Run(recipe, folder, train_split, val_split, learner, loss, arithmetic, state, progress, together, clock)
    with processes.agreeing():
        if processes.main:
            write_text(folder.settings, json.dumps(run.settings.plain(), indent=2) + "\n")
    describe(run)
    if start is not None:
        progress.say(start)
    return run


def begin_learner(network: SegmentationNetwork, recipe: Recipe, arithmetic: Arithmetic) -> Learner:
    """Put all together that the steps change."""
    return Learner(
        network,
        build_optimizer(recipe.optimizer, network),
        GradScaler(arithmetic.device.type, enabled=arithmetic.precision == "float16"),
        None if recipe.training.average_decay is None else begin_average(network),
    )


def begin_weights(network: SegmentationNetwork, recipe: Recipe, split: SegmentationDataset) -> str | None:
    """Take over the weights that the recipe starts from, if it does; return that in words.

    Raises:
        CheckpointError, ConfigError: If they do not fit.
    """
    path = recipe.training.start_from
    if path is None:
        return None
    start, words = start_from(network, recipe.network, split.labels, find_model(path))
    if start.folded_norms:
        chosen = range(0, len(split), max(1, len(split) // CALIBRATION_PICTURES))[:CALIBRATION_PICTURES]
        images = (torch.tensor(split[index].image).permute(2, 0, 1)[None].float() / 255 for index in chosen)
        count = calibrate_norms(network, start.folded_norms, images)
        words += f"; its folded batch norms are calibrated on {count} pictures"
    return words


def count_together(split: SegmentationDataset, processes: Processes, progress: Progress) -> list[list[int]]:
    """Count the pixels of each class, every process those of its share (`ClassPixels`)."""
    counted = processes.gather(count_class_pixels(split, progress, processes.share))
    return [[*map(sum, zip(*counts, strict=True))] for counts in zip(*counted, strict=True)]


def open_data(
    recipe: Recipe, processes: Processes, progress: Progress, bearable: int = 0
) -> tuple[SegmentationDataset, SegmentationDataset]:
    """Open the splits to train and to validate on, and read all of their files once if the recipe says so.

    So many of the training pictures as are `bearable` may turn out to be unusable.
    """
    plan = recipe.training
    splits: tuple[SegmentationDataset, SegmentationDataset]
    splits = open_split(recipe.data, plan.train_on), open_split(recipe.data, plan.validate_on)
    if plan.fraction < 1:
        splits = DrawnSamples(splits[0], plan.fraction, plan.seed), splits[1]
    if plan.cache_gigabytes:  # the check below fills it
        splits = CachedDataset(splits[0], plan.cache_gigabytes / processes.here, plan.cache_folder), splits[1]
    if plan.val_fraction < 1:
        splits = splits[0], DrawnSamples(splits[1], plan.val_fraction, plan.seed)
    require_same_labels(splits[0].labels, splits[1])
    require_known_class(plan, splits[0].labels)
    if plan.check_first:
        check_samples(splits[0], progress, processes.share, bearable)
        check_samples(splits[1], progress, processes.share)
    return splits


def save(run: Run) -> None:
    """Write the last checkpoint, and the state that an exact resume needs.

    Raises:
        TrainingError: If the weights are no numbers; the older save stays then.
        OutputError: If the place cannot be written.
    """
    with run.processes.agreeing():
        if run.processes.main:
            require_finite_weights(run.learner.network, run.state, run.folder)
            save_checkpoint(run.folder.last, run.learner.answering, checkpoint_info(run))
            save_state(run.folder.state, run.state, run.learner)
    run.clock.restart()


def keep(run: Run) -> None:
    """Write a checkpoint that stays, if one of this step was asked for.

    Raises:
        TrainingError: If the weights are no numbers.
        OutputError: If the place cannot be written.
    """
    every, step = run.recipe.training.keep_every, run.state.step
    if every is not None and step % every == 0:
        with run.processes.agreeing():
            if run.processes.main:
                require_finite_weights(run.learner.network, run.state, run.folder)
                save_checkpoint(run.folder.kept(step), run.learner.answering, checkpoint_info(run))


def checkpoint_info(run: Run, report: EvaluationReport | None = None) -> CheckpointInfo:
    """What a checkpoint of this run says about itself."""
    scores: dict[str, Any] = {}
    if report is not None:
        scores = {"protocol": report.protocol.model_dump(), **report.scores.model_dump(exclude={"classes"})}
    return CheckpointInfo(
        name=name_of(run.recipe),
        network=run.recipe.network,
        labels=run.train_split.labels,
        recipe=run.recipe.model_dump(mode="json"),
        scores=scores,
        provenance={
            "trained_with": f"atrous {atrous.__version__}, torch {torch.__version__}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "loss": describe_loss(run.loss, run.train_split.labels).removeprefix("Loss: "),
            "step": run.state.step,
            "seconds": round(run.state.seconds, 1),
            "settings": run.settings.plain(),
            **({"average_decay": decay} if (decay := run.recipe.training.average_decay) else {}),
        },
    )


def name_of(recipe: Recipe) -> str:
    """What checkpoints and reports are called; a training on less than all pictures says so in its name."""
    fraction = recipe.training.fraction
    return recipe.name if fraction == 1 else f"{recipe.name}_on_{100 * fraction:g}_percent_of_train"


def describe(run: Run) -> None:
    """Say what is about to happen, read from the live objects and not from the recipe."""
    labels, workers, say = run.train_split.labels, run.workers, run.progress.say
    parameters = sum(parameter.numel() for parameter in run.learner.network.parameters())
    layout = run.settings.memory_format
    loaders = f"{workers} loader process{'es' * (workers != 1)}" if workers else "loading in a thread"
    fraction = run.recipe.training.fraction
    share = f" ({100 * fraction:g} % of all, drawn by seed {run.recipe.training.seed})" if fraction < 1 else ""
    pictures = f"{len(run.train_split)} pictures to train{share}, {len(run.val_split)} to validate"
    say(f"{run.val_split.title}: {pictures}")
    say(f"{labels.num_classes} classes: {', '.join(labels.names[:12])}{', ...' * (labels.num_classes > 12)}")
    say(f"{run.recipe.name}: {parameters:,} parameters, output stride {run.learner.network.output_stride}")
    for sentence in deviations(run.recipe.network):
        say(f"Unlike the paper: {sentence}")
    say(describe_loss(run.loss, labels))
    say(describe_optimizer(run.learner.optimizer))
    for line in run.settings.lines():
        say(line)
    if run.recipe.training.average_decay is not None:
        say(f"Validated and saved: the moving average of the weights, decay {run.recipe.training.average_decay:g}")
    say(f"{describe_device(run.arithmetic.device)}, {run.arithmetic.precision}, {layout}, {loaders}")
    if run.processes.count > 1:
        say(describe_together(run.together, run.recipe.training.batch_size))
