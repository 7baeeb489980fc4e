"""Pictures that waited become answers: those of one size go through the network together."""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.errors import ImageError
from atrous.inference.prediction import Prediction
from atrous.server.answers import Answer, answer_of
from atrous.server.limits import Limits
from atrous.server.metrics import Metrics
from atrous.server.refusals import RefusedError
from atrous.server.schemas import SegmentAnswer, SegmentOptions, Wanted
from atrous.server.uploads import PictureBytes

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

Size = tuple[int, int]
LOG = logging.getLogger(__name__)

PICTURES_THAT_PAY = 8
"""In a batch whose number nobody gave: what more would gain, the first of them would wait for."""
PIXELS_THAT_PAY = 128 * 128 * 8
"""Of all pictures of such a batch on a CPU. There eight of 64x64 took 0.4 of the time that they take one by one, eight
of 128x128 0.6, two of 240x320 1.3 (benchmarks/server_batches.py): larger ones would only wait for each other."""


class Task(NamedTuple):
    """A picture that waits, and what is asked about it."""

    picture: PictureBytes
    size: Size
    """(height, width), as its header says."""
    model: str
    wanted: tuple[Wanted, ...]
    options: SegmentOptions


def batch_limit(size: Size, limits: Limits, *, on_gpu: bool) -> int:
    """How many pictures of a size are computed together; never more than have the pixels of the largest picture.

    Args:
        size: (height, width) of each.
        limits: Their `batch` decides, where it is given; else what was measured to pay.
        on_gpu: Whether a GPU computes.
    """
    pixels = size[0] * size[1]
    if limits.batch is not None:
        return max(1, min(limits.batch, limits.pixels // pixels))
    most = limits.pixels if on_gpu else PIXELS_THAT_PAY
    return max(1, min(PICTURES_THAT_PAY, most // pixels))


def answers_of(
    tasks: Sequence[Task], predictor: "AnyPredictor", limits: Limits, metrics: Metrics
) -> Iterator[Answer | Exception]:
    """Compute pictures that ask the same model, and write what was asked for.

    Yields:
        The answer of each, in their order and as soon as it is written, or why there is none.
    """
    began = lap = time.perf_counter()
    images = [_decoded(task, limits) for task in tasks]
    whole = [image for image in images if not isinstance(image, Exception)]
    outcomes = deque(_predicted(whole, predictor, metrics))
    for task, image in zip(tasks, images, strict=True):
        outcome = image if isinstance(image, Exception) else outcomes.popleft()  # one with probabilities is large
        answer = _answer(task, outcome, began, limits)
        if not isinstance(answer, Exception):
            now = time.perf_counter()
            metrics.count_picture(task.model, task.size[0] * task.size[1], now - lap)
            lap = now
        yield answer


def _decoded(task: Task, limits: Limits) -> NDArray[np.uint8] | Exception:
    try:
        return task.picture.decoded(limits)
    except Exception as error:
        return error


def _predicted(
    images: Sequence[NDArray[np.uint8]], predictor: "AnyPredictor", metrics: Metrics
) -> list[Prediction | Exception]:
    """What the network says of each; where it cannot see them together, of each alone, so that none spoils another."""
    if len(images) > 1:
        try:
            predictions = list[Prediction | Exception](predictor.predictions(images))
        except Exception as error:
            LOG.warning("%d pictures could not be computed together (%s): each is alone.", len(images), error)
        else:
            metrics.count_batch(len(images))
            return predictions
    return [_predicted_alone(image, predictor, metrics) for image in images]


def _predicted_alone(image: NDArray[np.uint8], predictor: "AnyPredictor", metrics: Metrics) -> Prediction | Exception:
    try:
        prediction = predictor(image)
    except Exception as error:
        return error
    metrics.count_batch(1)
    return prediction


def _answer(task: Task, outcome: Prediction | Exception, began: float, limits: Limits) -> Answer | Exception:
    if isinstance(outcome, Exception):
        return outcome
    try:
        height, width = outcome.mask.shape  # computed when it is first asked for
        seconds = round(time.perf_counter() - began, 4)
        facts = SegmentAnswer(model=task.model, width=width, height=height, seconds=seconds)
        return answer_of(outcome, task.wanted, task.options, limits, facts)
    except ImageError as error:  # it has no such answer: probabilities of what was seen in windows
        return RefusedError(406, "not_acceptable", str(error))
    except Exception as error:
        return error
