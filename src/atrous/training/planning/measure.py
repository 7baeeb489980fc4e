"""How fast a recipe trains and predicts here: a few steps and pictures, which leave nothing behind."""

import time
from contextlib import closing
from itertools import islice, pairwise

import torch

from atrous.data.cache import CachedDataset
from atrous.data.loading import default_workers, training_batches
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.inference.predictor import Predictor
from atrous.networks import build_network
from atrous.progress import Progress
from atrous.training.class_weights import NOT_COUNTED
from atrous.training.losses import build_loss
from atrous.training.planning.choice import Speed
from atrous.training.planning.clock import Clock
from atrous.training.planning.facts import used_memory
from atrous.training.recipe import Recipe
from atrous.training.run import begin_learner
from atrous.training.step import Arithmetic, choose_arithmetic, memory_suffices, update

STEPS = 20
FEWEST_STEPS = 3
PREDICTED = 2
"""Pictures of val."""


def measure(
    recipe: Recipe,
    train: SegmentationDataset,
    val: SegmentationDataset,
    seconds: float,
    progress: Progress,
    clock: Clock = time.monotonic,
) -> Speed:
    """Train a few steps of a recipe and predict a few pictures, and throw the weights away.

    Args:
        recipe: What is to be trained; its loss weighs no classes by counts.
        train: Its training split.
        val: Its validation split.
        seconds: After which no further step is begun, once there are `FEWEST_STEPS`.
        progress: Where to show how far it is.
        clock: Seconds that pass.

    Raises:
        ImageError, MaskError: If a file is unreadable.
        TrainingError: If the memory does not suffice.
    """
    arithmetic, before, started = choose_arithmetic(recipe.training), used_memory(), clock()
    torch.manual_seed(recipe.training.seed)
    network = build_network(recipe.network, train.labels.num_classes)
    network = network.to(arithmetic.device).to(memory_format=arithmetic.memory_format).train()
    learner = begin_learner(network, recipe, arithmetic)
    loss = build_loss(recipe.loss, train.labels, NOT_COUNTED, arithmetic.device)
    times: list[float] = []
    begun = clock()
    batches = training_batches(
        CachedDataset(train, recipe.training.cache_gigabytes),
        recipe.augmentation,
        batch_size=recipe.training.batch_size,
        seed=recipe.training.seed,
        workers=default_workers(arithmetic.device),
    )
    with closing(batches), progress.task("Measuring steps", STEPS) as task, memory_suffices(recipe):
        while len(times) <= STEPS and (len(times) <= FEWEST_STEPS or clock() - started < seconds):
            update(learner, list(islice(batches, 1)), loss, arithmetic)
            times.append(clock() - begun)
            task.advance()
    begun_after, measured = times[0], [b - a for a, b in pairwise(times)]
    held = _held(arithmetic, before)
    prediction = seconds_per_prediction(Predictor(network, train.labels, name="measured"), val, clock)
    size = recipe.training.batch_size
    return Speed(sum(measured) / len(measured) / size, prediction, len(measured), size, held, begun_after)


def _held(arithmetic: Arithmetic, before: float) -> float:
    """GiB at the peak, on the device where there is one."""
    if arithmetic.device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(arithmetic.device) / 2**30)
    return max(0.0, used_memory() - before)


def seconds_per_prediction(predictor: Predictor, val: SegmentationDataset, clock: Clock = time.monotonic) -> float:
    """Read, predict and score a picture or two as a validation does; the first one only warms up where it is quick."""
    confusion, seconds = ConfusionMatrix(val.labels), 0.0
    for index in range(min(PREDICTED, len(val))):
        started = clock()
        sample = val[index * (len(val) - 1)]
        confusion.add(sample.mask, predictor(sample.image).mask)
        seconds = clock() - started
    return seconds
