"""Judging how a training goes: numbers in, sentences out, each with its likely cause and the key to change.

Whatever is found is said once for each cause; `lookout` gathers the numbers and says the sentences.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

COLLAPSED = 0.99
"""Share of all predictions that one class has at least in a network that answers nothing else."""
LEFT_OVER = 0.1
"""Of their true share, what all other classes have at most then."""
GAP = 0.25
"""Difference of mIoU between pictures of train and val from which on a network knows pictures by heart."""
BETTER_SMALL, AT_LEAST = 1.5, 0.03
"""How many times that of whole pictures the mIoU of shrunken ones is, and how much higher, where they are too large."""
HIGHER_THAN_FIRST, HIGHER_THAN_LOWEST = 3.0, 4.0
"""How many times its first and its lowest value the loss must be to have exploded; noise makes it twice as large."""
LOOKING_BACK = 0.9
"""Share of the old value in the loss that is judged: it looks back about ten steps."""
STEPS_TO_BEGIN = 10
"""Steps of which neither the loss nor the loader is judged."""
STARVING = 0.3
"""Share of a step that the device may wait for its pictures."""
SMALL_BATCH = 4
"""Pictures, below which the statistics of a norm are mostly noise."""
MOST_NAMED = 8
"""Classes in one sentence."""


class Finding(NamedTuple):
    """Something that goes wrong."""

    cause: str
    """Two findings of one cause are the same."""
    sentence: str
    """What, its likely cause, and the key to change."""


class ClassPixels(NamedTuple):
    """How often a class is the truth and the answer in one validation."""

    name: str
    true: int
    predicted: int


@dataclass
class Memory:
    """What is remembered from step to step, and saved with the run."""

    first_loss: float = math.nan
    lowest_loss: float = math.inf
    recent_loss: float = math.nan
    gradient_norm: float = math.nan
    """The last one that was measured."""
    pixels_shown: list[int] = field(default_factory=list)
    """Pixels of each class that training has seen, of those that were counted."""
    never_predicted: list[str] = field(default_factory=list)
    """Classes that the last validation had and the network did not answer."""
    named: list[str] = field(default_factory=list)
    """Those of which it was said."""

    def note_loss(self, loss: float) -> None:
        """Count the loss of one step."""
        older = loss if math.isnan(self.recent_loss) else self.recent_loss
        self.first_loss = loss if math.isnan(self.first_loss) else self.first_loss
        self.recent_loss = LOOKING_BACK * older + (1 - LOOKING_BACK) * loss
        self.lowest_loss = min(self.lowest_loss, self.recent_loss)

    def note_shown(self, counts: Sequence[int]) -> None:
        """Count the pixels of each class in the batches of one step."""
        before = self.pixels_shown or [0] * len(counts)
        self.pixels_shown = [old + new for old, new in zip(before, counts, strict=True)]


def collapse(classes: Sequence[ClassPixels]) -> Finding | None:
    """Whether the network answers next to nothing but one class, compared with how often that is true."""
    total = sum(each.predicted for each in classes)
    one = max(classes, key=lambda each: each.predicted)
    others_true = 1 - one.true / max(total, 1)
    others_predicted = 1 - one.predicted / max(total, 1)
    if total == 0 or one.predicted < COLLAPSED * total or others_predicted >= LEFT_OVER * others_true:
        return None
    return Finding(
        "collapse",
        f"The network answers {one.name} for {_percent(one.predicted / total)} of the pixels, which is true for "
        f"{_percent(one.true / total)}: it has collapsed to one class. If it stays so, the learning rate is the likely "
        f"cause (lower optimizer.learning_rate, raise schedule.warmup_steps), or that class outweighs all others "
        f"(loss.class_weights: balanced), or the masks are not what they should be (look at first_batch.png).",
    )


def missed(memory: Memory, classes: Sequence[ClassPixels], *, last: bool) -> Finding | None:
    """Which classes are true somewhere and predicted nowhere, in two validations in a row or in the last one.

    The memory keeps what this validation missed, and which classes were named before.
    """
    total = sum(each.true for each in classes)
    never = [each for each in classes if each.true and not each.predicted]
    new = [e for e in never if (last or e.name in memory.never_predicted) and e.name not in memory.named]
    memory.never_predicted = [each.name for each in never]
    memory.named += [each.name for each in new]
    if not new:
        return None
    listed = _listed([f"{each.name} ({_percent(each.true / total)} of the pixels)" for each in new])
    return Finding(
        f"never predicted {', '.join(each.name for each in new)}",
        f"Never predicted: {listed}. Rare classes come late or not at all: let them weigh more (loss.class_weights: "
        f"balanced, or loss.kind: ohem or dice), train longer (training.steps), or see small ones larger "
        f"(augmentation.scale, network.output_stride: 8).",
    )


def not_shown(names: Sequence[str], pixels: Sequence[int]) -> Finding | None:
    """Which classes no training picture has shown after one epoch."""
    absent = [name for name, count in zip(names, pixels, strict=True) if not count]
    if not absent or len(absent) == len(names):
        return None
    return Finding(
        "never shown",
        f"No training picture has shown {_listed(absent)} in a whole epoch: it cannot be learned. Probably the masks "
        f"use other numbers than data says, or the class is in val alone: `atrous data stats` counts them; with "
        f"training.fraction below 1, raise that.",
    )


def exploding(memory: Memory, step: int, learning_rate: float) -> Finding | None:
    """Whether the loss grows far beyond where it began or where it has been."""
    recent, first, lowest = memory.recent_loss, memory.first_loss, memory.lowest_loss
    grown = recent > HIGHER_THAN_FIRST * first or (recent > HIGHER_THAN_LOWEST * lowest and recent > first)
    if step < STEPS_TO_BEGIN or not grown:
        return None
    gradient = "" if math.isnan(memory.gradient_norm) else f", gradient norm {memory.gradient_norm:.3g}"
    return Finding(
        "exploding",
        f"The loss has risen to {recent:.3g} at step {step}, from {first:.3g} in the first step and "
        f"{lowest:.3g} at its lowest (learning rate {learning_rate:.3g}{gradient}): the learning rate is "
        f"probably too high. Lower optimizer.learning_rate to a tenth, or raise schedule.warmup_steps.",
    )


def all_ignored(step: int, labelled: bool) -> Finding | None:
    """Whether no pixel of a whole step has a class, so that nothing can be learned from it."""
    if labelled:
        return None
    return Finding(
        "all ignored",
        f"Step {step} saw no labelled pixel: every one of its crops is ignored. Such steps teach nothing: crop larger "
        f"(augmentation.crop), shrink less and enlarge less (augmentation.scale nearer to 1), take more pictures per "
        f"step (training.batch_size), or look for masks without any class (`atrous data check`).",
    )


def gap(train: float, val: float, batch_size: int, *, norms_learn: bool) -> Finding | None:
    """Whether the same network knows the pictures of train far better than those of val (both mIoU, 0..1)."""
    if train - val <= GAP:
        return None
    norms = ""
    if norms_learn and batch_size < SMALL_BATCH:
        norms = f" Batch norms learn from {batch_size} pictures at a time, too: network.batch_norm.frozen helps there."
    return Finding(
        "gap",
        f"mIoU is {_percent(train)} on pictures of train and {_percent(val)} on val: the network learns its pictures "
        f"by heart, or val shows something else. Vary them more (augmentation.scale, brightness, contrast, saturation, "
        f"blur), decay more (optimizer.weight_decay), start from trained weights (training.start_from), train shorter, "
        f"or bring more pictures.{norms}",
    )


def too_large(whole: float, shrunken: float, scale: float) -> Finding | None:
    """Whether a network understands pictures of train far better at the size of its crops than at their own.

    Args:
        whole: mIoU, 0..1, on the pictures as they are.
        shrunken: The same on them at about the size of the crops.
        scale: How much smaller they were seen for that.
    """
    if shrunken <= BETTER_SMALL * whole or shrunken <= whole + AT_LEAST:
        return None
    return Finding(
        "too large",
        f"mIoU on pictures of train is {_percent(whole)} at their size and {_percent(shrunken)} where they are seen as "
        f"small as the crops: on so large a map kernels with large rates meet what no crop has shown them. Train on "
        f"larger crops (augmentation.crop) or smaller scales (augmentation.scale), lower network.rates, or predict and "
        f"evaluate with --scales {scale:g}.",
    )


def starving(share: float, workers: int, cores: int) -> Finding | None:
    """Whether the device waits for its pictures for a large share of a step."""
    if share <= STARVING:
        return None
    remedy = f"raise training.workers (now {workers}, the machine has {cores} cores)"
    if workers >= cores:
        remedy = f"all {cores} cores are busy with it already (training.workers: {workers})"
    return Finding(
        "starving",
        f"The device waits for its pictures {_percent(share)} of the time: {remedy}, keep decoded ones in memory "
        f"(training.cache_gigabytes), or store smaller ones (`atrous data convert`); blur is the dearest augmentation.",
    )


def after_an_epoch(step: int, steps: int, epochs: float) -> bool:
    """Whether a network has seen enough to be judged by its answers: an epoch, and a twentieth of its training."""
    return step >= steps or (epochs >= 1 and step >= 0.05 * steps)


def _percent(share: float) -> str:
    percent = 100 * share
    decimals = 1 if 0.05 <= percent < 99.95 or percent in (0, 100) else 3
    return f"{percent:.{decimals}f} %"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
