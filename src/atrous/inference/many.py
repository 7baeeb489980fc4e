"""Many pictures: while the network is at one, others are read and decoded, and results of others are written."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from atrous.errors import AtrousError, ImageError
from atrous.images import ReadableFile, read_image
from atrous.inference.ahead import mapped
from atrous.inference.prediction import Prediction, WindowedPrediction
from atrous.inference.remote import FetchedFile, RemoteFile
from atrous.inference.sliding_window import WindowLayout, segment_in_windows
from atrous.inference.window_memory import LARGEST, SHARE_OF_SIDE, give_memory_back, halved, is_out_of_memory
from atrous.progress import Progress, Silent
from atrous.threads import processors

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

R = TypeVar("R")

MOST_THREADS = 8
"""That read, and as many that write; of addresses, several have to be on their way at once."""

AHEAD = 2
"""Pictures that wait for each thread: more would only take memory."""


class Outcome(NamedTuple, Generic[R]):
    """What became of a picture."""

    number: int
    """Its place in the order of the inputs."""
    result: R | None = None
    error: AtrousError | None = None


class _Decoded(NamedTuple):
    number: int
    image: NDArray[np.uint8] | None = None
    error: AtrousError | None = None


class _Predicted(NamedTuple):
    number: int
    prediction: Prediction | None = None
    error: AtrousError | None = None


def predict_many(
    predictor: "AnyPredictor",
    sources: Sequence[ReadableFile],
    finish: Callable[[int, Prediction], R],
    *,
    numbers: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Generator[Outcome[R]]:
    """Predict pictures, and finish each prediction in another thread.

    Reading and decoding happen in some threads, `finish` in others, and the network computes in the caller's; a few
    pictures wait between them, so that the memory does not depend on how many there are.

    Args:
        predictor: Any.
        sources: Files, or whatever opens like them.
        finish: Is given a picture's number and prediction; what it returns is the result. It is called by several
            threads at once. An ImageError is this picture's; what else it raises ends everything.
        numbers: Which of the sources; by default all.
        progress: Is told when a picture was too large for the memory and was segmented in windows.

    Yields:
        An outcome for each of these pictures, in their order; with the error of those that cannot be read.
    """
    threads = min(MOST_THREADS, max(2, processors()))
    chosen = range(len(sources)) if numbers is None else numbers

    def finished(predicted: _Predicted) -> Outcome[R]:
        if predicted.prediction is None:
            return Outcome(predicted.number, error=predicted.error)
        try:
            return Outcome(predicted.number, finish(predicted.number, predicted.prediction))
        except ImageError as error:
            return Outcome(predicted.number, error=error)

    decoded = mapped(lambda number: _decoded(number, sources[number]), chosen, threads, threads * AHEAD)
    with closing(decoded), closing(_predicted(predictor, sources, decoded, progress or Silent())) as predicted:
        yield from mapped(finished, predicted, threads, threads * AHEAD)


def numbers_of_process(total: int) -> range:
    """Which of so many pictures are this process's, where torchrun has started several (RANK, WORLD_SIZE); else all."""
    rank, processes = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if not (rank.isdecimal() and processes.isdecimal()):
        return range(total)
    from atrous.data.share import Share  # takes its time, as all of the data sets come along

    return Share(int(rank), int(processes)).of(total)


def _decoded(number: int, source: ReadableFile) -> _Decoded:
    try:
        if isinstance(source, RemoteFile):
            source = FetchedFile(source, source.content())
        return _Decoded(number, read_image(source))
    except AtrousError as error:
        return _Decoded(number, error=error)
    except OSError as error:
        return _Decoded(number, error=ImageError(f"{source} cannot be read ({error}): give another picture."))


def _predicted(
    predictor: "AnyPredictor", sources: Sequence[ReadableFile], decoded: Iterator[_Decoded], progress: Progress
) -> Generator[_Predicted]:
    for number, image, error in decoded:
        if image is None:
            yield _Predicted(number, error=error)
            continue
        try:
            yield _Predicted(number, predict_whole_or_in_windows(predictor, image, str(sources[number]), progress))
        except AtrousError as error:
            yield _Predicted(number, error=error)


def predict_whole_or_in_windows(
    predictor: "AnyPredictor", image: NDArray[np.uint8], name: str, progress: Progress
) -> Prediction:
    """Predict a picture whole; where the memory is too small for that, in windows that are as large as it bears.

    Raises:
        ImageError: If it is too small even for the smallest windows.
    """
    try:
        return predictor(image)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    side = min(LARGEST, max(image.shape[:2]))
    layout = halved(WindowLayout(side, side // SHARE_OF_SIDE))
    while layout is not None:
        give_memory_back()
        try:
            mask = segment_in_windows(predictor, image, layout)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            layout = halved(layout)
            continue
        windows = f"windows of {layout.side}x{layout.side} pixels"
        progress.say(f"{name}: the memory is too small for the whole picture; done in {windows}.")
        return WindowedPrediction(image, mask, predictor.labels, "for probabilities give a smaller one")
    raise ImageError(f"{name} does not fit into the memory, not even in small windows: close other programs.")
