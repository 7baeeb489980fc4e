"""The watch over a live training: gathers the numbers that `watch` judges, and says what it finds."""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from atrous.data.loading import Batch
from atrous.data.samples import SegmentationDataset
from atrous.errors import ImageError, MaskError
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.evaluation.report import EvaluationReport
from atrous.images import write_image
from atrous.inference.predictor import Predictor
from atrous.inference.views import Views
from atrous.labels import LabelSpace
from atrous.training import watch
from atrous.training.first_batch import draw_batch
from atrous.training.logs import RunLog
from atrous.training.run import Run
from atrous.training.watch import Finding

PICTURES_OF_TRAIN = 24
"""That are predicted beside those of val, to see whether they are known by heart."""
CLEARLY_SMALLER = 0.75
"""Scale from which on pictures are so much larger than the crops that they are seen at that scale, too."""
LOOKING_BACK = 50
"""Steps over which waiting is averaged."""
COUNTED_EVERY = 4
"""Of rows and columns of a mask: enough to see which classes occur."""


class Timing:
    """How long steps take, and how much of that the device waits for its pictures; begun anew with every process."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.steps, self.share = 0, 0.0

    def note(self, waited: float, seconds: float) -> None:
        """Count one step, and which part of it was waited."""
        self.steps += 1
        counted = self.steps - watch.STEPS_TO_BEGIN  # the first ones start loaders and read what is kept from then on
        if counted > 0:
            self.share += (waited / max(seconds, 1e-9) - self.share) / min(counted, LOOKING_BACK)


class OnTrain(NamedTuple):
    """The mIoU, 0..1, on some pictures of train, not augmented."""

    whole: float
    """At their own size."""
    shrunken: float | None
    """At about the size of the crops; None where they are hardly larger."""
    scale: float
    """How much smaller that is."""


def say_all(run: Run, log: RunLog | None, findings: Sequence[Finding | None], step: int, *, validated: bool) -> None:
    """Say and log what is found for the first time."""
    for finding in findings:
        if finding is not None and finding.cause not in run.state.warned:
            run.state.warned.append(finding.cause)
            run.progress.say(f"Warning: {finding.sentence}")
            if log:
                log.warn(step, finding.cause, finding.sentence, validated=validated)


def look_at_batches(run: Run, log: RunLog | None, batches: Sequence[Batch]) -> None:
    """Draw the very first batch; find steps without any label; note which classes are shown."""
    labels, state = run.train_split.labels, run.state
    if state.step == 0 and run.processes.main:
        sheet = draw_batch(batches[0], run.learner.network.pixels, labels)
        write_image(run.folder.first_batch, sheet)
        if log and run.recipe.training.shown_pictures:
            with log.writing() as events:
                events.add_image("train/first_batch", sheet, 0, dataformats="HWC")
    own = [count_shown([batch.mask for batch in batches], labels), [any_label(batches, labels)]]
    counts = run.processes.sum([number for some in own for number in some])
    state.watch.note_shown([int(count) for count in counts[:-1]])
    finding = watch.all_ignored(state.step + 1, labelled=counts[-1] > 0)
    say_all(run, log, [finding], state.step + 1, validated=False)


def any_label(batches: Sequence[Batch], labels: LabelSpace) -> int:
    """Whether any pixel of the batches has a class, as 0 or 1."""
    return int(any(bool((batch.mask.int() != labels.ignore_index).any()) for batch in batches))


def count_shown(masks: Sequence[torch.Tensor], labels: LabelSpace) -> list[int]:
    """Pixels of each class, on a grid over the masks."""
    grids = [mask[:, ::COUNTED_EVERY, ::COUNTED_EVERY].flatten().int() for mask in masks]
    counts = torch.bincount(torch.cat(grids), minlength=labels.num_classes)
    return [int(count) for count in counts[: labels.num_classes].tolist()]


def look_at_step(run: Run, log: RunLog | None, timing: Timing, loss: float, learning_rate: float) -> None:
    """Judge loss and loader after a step."""
    state = run.state
    state.watch.note_loss(loss)
    findings = [watch.exploding(state.watch, state.step, learning_rate)]
    if timing.steps >= 3 * watch.STEPS_TO_BEGIN:
        findings.append(watch.starving(timing.share, run.workers, _cores()))
    say_all(run, log, findings, state.step, validated=False)


def look_at_validation(run: Run, log: RunLog | None, report: EvaluationReport, on_train: OnTrain | None) -> None:
    """Compare what is predicted with what is true, and pictures of train with those of val."""
    state, epochs = run.state, run.state.step * run.pictures_per_step / len(run.train_split)
    classes = [watch.ClassPixels(each.name, each.true_pixels, each.predicted_pixels) for each in report.scores.classes]
    if not watch.after_an_epoch(state.step, run.steps, epochs):
        return
    collapsed = watch.collapse(classes)
    findings = [collapsed]
    if collapsed is None:  # else it says this, too
        findings.append(watch.missed(state.watch, classes, last=run.complete))
    if epochs >= 1:
        findings.append(watch.not_shown(report.labels.names, state.watch.pixels_shown))
    if on_train is not None:
        norms = any(isinstance(m, _BatchNorm) and not vars(m).get("frozen") for m in run.learner.network.modules())
        batch = run.recipe.training.batch_size
        findings.append(watch.gap(on_train.whole, report.scores.mean_iou, batch, norms_learn=norms))
        if on_train.shrunken is not None:
            findings.append(watch.too_large(on_train.whole, on_train.shrunken, on_train.scale))
    say_all(run, log, findings, state.step, validated=True)


def score_on_train(predictor: Predictor, split: SegmentationDataset, crop: tuple[int, int]) -> OnTrain | None:
    """Score some pictures of train, at their own size and at that of crops (height, width).

    None if none of them can be read.
    """
    whole, shrunken, scale, smaller = ConfusionMatrix(split.labels), ConfusionMatrix(split.labels), 0.0, predictor
    for index in range(0, len(split), -(-len(split) // PICTURES_OF_TRAIN)):
        try:
            sample = split[index]
        except (ImageError, MaskError):  # training names it when it meets it
            continue
        if not scale:
            scale = _scale_to(crop, sample.mask.shape)
            smaller = Predictor(predictor.network, split.labels, name=predictor.name, views=Views(scales=(scale,)))
        whole.add(sample.mask, predictor(sample.image).mask)
        if scale <= CLEARLY_SMALLER:
            shrunken.add(sample.mask, smaller(sample.image).mask)
    if not whole.matrix.any():
        return None
    found = [scores(each.matrix, split.labels).mean_iou if each.matrix.any() else None for each in (whole, shrunken)]
    return OnTrain(found[0] or 0.0, found[1], scale)


def _scale_to(crop: tuple[int, int], size: Sequence[int]) -> float:
    """What makes a picture of this size as large as a crop, in area."""
    smallest, largest = 0.1, 1.0
    return max(smallest, min(largest, round(math.sqrt(math.prod(crop) / math.prod(size)), 2)))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
