"""`atrous fit`: looks at data and machine, plans a training for the minutes that are given, and keeps to them."""

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from atrous.data import DataConfig, open_split, parse_dataset, splits_of
from atrous.data.folder import FolderConfig
from atrous.data.processes import default_workers
from atrous.data.samples import SegmentationDataset
from atrous.data.splits import divide, parse_fractions, write_division
from atrous.errors import ConfigError, DatasetError, TrainingError
from atrous.evaluation.evaluate import require_same_labels
from atrous.files import write_text
from atrous.progress import Progress, Silent
from atrous.training.pace import Pace, describe_end
from atrous.training.planning.choice import Choice, Speed, Start
from atrous.training.planning.clock import Clock
from atrous.training.planning.facts import DataFacts, MachineFacts, look_at_data, look_at_machine
from atrous.training.planning.measure import measure
from atrous.training.planning.plan import Plan, Wish, plan
from atrous.training.planning.start import find_start
from atrous.training.recipe import Recipe, recipe_text
from atrous.training.run_folder import RunFolder
from atrous.training.train import TrainingResult, train

LOOKING_SHARE = 0.03
"""Of the time that reading pictures may take before the plan."""
MEASURING_SHARE = 0.06
"""Of the time that the measured steps may take."""
DIVISION = "train=0.85,val=0.15"
TRIES = 4
"""Batches that are tried, each half as large, where the memory does not suffice."""


@dataclass(frozen=True)
class Fitting:
    """A data set, opened and looked at, for which a training is planned."""

    wish: Wish
    folder: RunFolder
    train: SegmentationDataset
    val: SegmentationDataset
    data: DataFacts
    machine: MachineFacts
    start: Start | None
    deadline: float
    """By the clock."""
    clock: Clock = time.monotonic
    progress: Progress = field(default_factory=Silent)

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return self.deadline - self.clock()


def fit(
    dataset: str | DataConfig,
    output: Path | None = None,
    *,
    minutes: float = 10.0,
    start_from: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    show: Callable[[tuple[Choice, ...]], None] | None = None,
    began: float | None = None,
    clock: Clock = time.monotonic,
) -> TrainingResult:
    """Plan a training for a data set, this machine and so many minutes, and make it.

    The folder is that of an ordinary run: its recipe can be trained again, and an interrupted run be resumed by
    `train(..., resume=True)`, which goes on without the clock.

    Args:
        dataset: As commands take it, or as a recipe has it. Where it has no split val, one is drawn by the seed.
        output: The run's folder; by default `runs/` and the data set's name.
        minutes: For everything from now on to the last score.
        start_from: A checkpoint or a name to start from, `none` for random weights; by default what is at hand.
        seed: Decides initial weights, order, augmentation and a drawn split.
        overwrite: Replace the run that is there.
        progress: Where to show how far it is.
        show: Is given the choices, in place of lines to `progress`.
        began: When the minutes began, by the clock; by default now.
        clock: Whose seconds count; `time.process_time` makes them those of this process's own work.

    Returns:
        As `train`.

    Raises:
        AtrousError: If data, weights or folder cannot be used, or the time is too short for a single validation.
    """
    began = clock() if began is None else began
    require_one_process()
    progress = progress or Silent()
    config = parse_dataset(dataset) if isinstance(dataset, str) else dataset
    wish = Wish(name_of(config), config, minutes, seed)
    folder = RunFolder(output or Path("runs") / wish.name)
    folder.require_free(overwrite=overwrite)
    wish = wish._replace(data=with_val(wish, folder, progress))
    fitting = look(wish, folder, start_from, began + 60 * minutes, clock, progress)
    speed, machine = measure_what_fits(fitting)
    planned = plan(fitting.wish, fitting.data, machine, fitting.start, speed, fitting.seconds_left)
    if show is None:
        for choice in planned.choices:
            progress.say(f"{choice.name}: {choice.value} ({choice.reason})")
    else:
        show(planned.choices)
    return train_in_time(fitting, planned, overwrite=overwrite)


def require_one_process() -> None:
    """Refuse to plan as one of several processes.

    Raises:
        ConfigError: If the environment says so.
    """
    count = os.environ.get("WORLD_SIZE") or "1"
    if count != "1":
        raise ConfigError(
            f"`atrous fit` plans for one process and was started as one of {count}: start it alone, then train its "
            "recipe.yaml in as many."
        )


def look(
    wish: Wish, folder: RunFolder, start_from: str | None, deadline: float, clock: Clock, progress: Progress
) -> Fitting:
    """Open a data set that has train and val, and gather the facts.

    Raises:
        AtrousError: If the data or the weights cannot be used.
    """
    splits = open_split(wish.data, "train"), open_split(wish.data, "val")
    require_same_labels(splits[0].labels, splits[1])
    data = look_at_data(*splits, LOOKING_SHARE * 60 * wish.minutes, progress, clock)
    machine = look_at_machine()
    progress.say(describe_facts(data, machine))
    start = find_start(start_from, data, machine, progress)
    return Fitting(wish, folder, *splits, data, machine, start, deadline, clock, progress)


def with_val(wish: Wish, folder: RunFolder, progress: Progress) -> DataConfig:
    """Return the data set if it has train and val; else a folder beside the run, which the seed has divided.

    A split test, if there is one, is left alone.

    Raises:
        DatasetError: If there are so few pictures that one of the two would be empty.
    """
    splits = splits_of(wish.data)
    if "train" in splits and "val" in splits:
        return wish.data
    kept = [split for split in splits if split != "test"] or list(splits)
    sources = ["train"] if "train" in splits else kept
    datasets = [open_split(wish.data, split) for split in sources]
    shares = parse_fractions(DIVISION)
    division = divide(datasets, shares, seed=wish.seed, progress=progress, workers=default_workers())
    if len(set(division.split_of.tolist())) < len(division.splits):
        raise DatasetError(
            f"{datasets[0].title} has {len(division.names)} pictures and no split val, and 15 % of them are none: add "
            "them to a data set that has train and val (`atrous data convert SRC DST --add`), or give more pictures."
        )
    root = folder.path / "data"
    if (root / "split.csv").is_file():  # of an earlier fit, whose run is gone or may be overwritten
        shutil.rmtree(root)
    write_division(root, division, datasets, progress=progress)
    of = " and ".join(sources)
    progress.say(f"There is no split val: 15 % of {of} are drawn for it with seed {wish.seed}, into {root}.")
    return FolderConfig(root=root)


def measure_what_fits(fitting: Fitting) -> tuple[Speed, MachineFacts]:
    """Measure the recipe of the first plan; where the memory does not suffice, plan for less of it.

    Raises:
        TrainingError: If it does not suffice for a single picture.
    """
    machine, seconds = fitting.machine, MEASURING_SHARE * 60 * fitting.wish.minutes
    for attempt in range(TRIES):
        recipe = plan(fitting.wish, fitting.data, machine, fitting.start).recipe
        try:
            return measure(recipe, fitting.train, fitting.val, seconds, fitting.progress, fitting.clock), machine
        except TrainingError:
            if recipe.training.batch_size == 1 or attempt == TRIES - 1:
                raise
            machine = machine._replace(memory=machine.memory / 2, gpu_memory=machine.gpu_memory / 2)
    raise AssertionError("the last try returns or raises")


def train_in_time(fitting: Fitting, planned: Plan, *, overwrite: bool) -> TrainingResult:
    """Train as planned, until the deadline; the recipe in the folder then has as many steps as were made.

    Raises:
        AtrousError: As `train`.
    """
    recipe, length, progress = planned.recipe, planned.length, fitting.progress
    assert length is not None
    progress.say(f"All is done {describe_end(fitting.seconds_left)}.")
    pace = Pace(fitting.deadline, length.validation_seconds, length.finishing_seconds, fitting.clock)
    result = train(recipe, fitting.folder.path, overwrite=overwrite, progress=progress, pace=pace)
    if result.finished and result.steps != recipe.training.steps:
        write_text(result.folder.recipe, recipe_text(with_steps(recipe, result.steps)))
    return result


def with_steps(recipe: Recipe, steps: int) -> Recipe:
    """The same recipe with another number of steps."""
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": steps})})


def name_of(config: DataConfig) -> str:
    """What the run of a data set is called: `fit_` and the last part of its path, or its kind."""
    root = getattr(config, "root", None)
    word = config.kind if root is None else Path(root).resolve().stem
    return "fit_" + (re.sub(r"[^\w.+-]+", "_", word) or config.kind)


def describe_facts(data: DataFacts, machine: MachineFacts) -> str:
    """Say in two lines what was found."""
    height, width = data.size
    looked = "" if data.looked_at == data.train else f", from {data.looked_at} of them"
    rarest = min((share for share in data.shares if share > 0), default=0.0)
    device = machine.device if machine.gpu else f"{machine.device} of {machine.cores} cores"
    memory = f"{machine.gpu_memory:.0f} GiB on it" if machine.gpu else f"{machine.memory:.0f} GiB free"
    return (
        f"Data: {data.title}, {data.train:,} pictures to train and {data.val:,} to validate, {width}x{height}, "
        f"{len(data.classes)} classes, the rarest {rarest:.2%} of the pixels{looked}.\n"
        f"Machine: {device}, {memory}, {'bfloat16' if machine.bfloat16 else 'float32'}."
    )
