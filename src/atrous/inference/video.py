"""Videos and live pictures through a network: frames in, predictions out, in order."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atrous.errors import ConfigError, VideoError
from atrous.inference.ahead import ahead
from atrous.inference.exported import ExportedPredictor
from atrous.inference.governor import Governor
from atrous.inference.predictor import Prediction, Predictor
from atrous.inference.smoothing import SmoothingConfig, TemporalSmoothing
from atrous.inference.video_file import Frame, VideoFile
from atrous.inference.views import Answer

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

FRAMES_AHEAD = 3
"""That each stage may be ahead of the next; a frame of 4K takes 25 MB."""
SCALES = (1.0, 0.84, 0.71, 0.59, 0.5, 0.42, 0.35, 0.3, 0.25)
"""Sides of what a network may be shown, to be in time; each time 0.7 of the pixels."""
FINE, COARSE = 8, 16
"""The output strides that networks of the family have in common."""
COST_OF_FINE = 2.5
"""About how many times longer a network takes at output stride 8."""


class Level(NamedTuple):
    """One way of predicting a frame, finer or faster than others."""

    predictor: "AnyPredictor"
    """At its output stride."""
    scale: float
    """The side of the picture that the network sees, for that of the frame."""
    cost: float
    """About how long it takes, in any unit."""


class SegmentedFrame(NamedTuple):
    """A frame and what the network says about it."""

    frame: Frame
    prediction: Prediction
    scale: float
    """At which side of the picture the network saw it, for that of the frame."""


class FrameSegmenter:
    """Segments the frames of one video, one after the other."""

    def __init__(
        self,
        predictor: "AnyPredictor",
        *,
        smoothing: SmoothingConfig | None = None,
        frames_per_second: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin before the first frame.

        Args:
            predictor: What segments each frame.
            smoothing: How much the frames before count; not at all by default.
            frames_per_second: A rate to hold, by showing the network less; by default every frame is seen whole.
            clock: Seconds that pass.

        Raises:
            ConfigError: If the predictor is a file that was exported with labels alone.
        """
        _require_logits(predictor)
        self.levels = levels_of(predictor)
        self.views = list(predictor.views)
        self.smoothings = [TemporalSmoothing(smoothing, predictor.resize) if smoothing else None for _ in self.views]
        costs = [level.cost for level in self.levels]
        self.governor = Governor(frames_per_second, costs) if frames_per_second else None
        self.clock = clock

    def __call__(self, frame: Frame) -> SegmentedFrame:
        """Segment the next frame; its mask has the frame's own size in any case."""
        started = self.clock()
        predictor, scale, _ = self.levels[self.governor.level if self.governor else 0]
        image = _scaled(frame.image, scale)
        logits, *others = [
            self._smoothed(frame, number, torch.as_tensor(predictor.logits(image, view)))
            for number, view in enumerate(self.views)
        ]
        if self.governor:
            self.governor.note(self.clock() - started)
        answers = [Answer(other.numpy(), view.flipped) for other, view in zip(others, self.views[1:], strict=True)]
        prediction = Prediction(
            frame.image,
            logits.numpy(),
            predictor.labels,
            predictor.resize,
            predictor.crf,
            answers,
            predictor.abstain,
        )
        return SegmentedFrame(frame, prediction, scale)

    def _smoothed(self, frame: Frame, number: int, logits: Tensor) -> Tensor:
        """The logits of one view, averaged with those of the frames before; the mean over views may follow later."""
        smoothing = self.smoothings[number]
        if smoothing is None:
            return logits
        image = frame.image[:, ::-1] if self.views[number].flipped else frame.image
        return smoothing(np.ascontiguousarray(image), float(frame.time), logits)

    def all(self, frames: Iterable[Frame], ahead_by: int = FRAMES_AHEAD) -> Generator[SegmentedFrame]:
        """Segment frames in their order, none left out, in a thread that is ahead by so many."""
        return ahead((self(frame) for frame in frames), ahead_by)


def predict_video(
    predictor: "AnyPredictor",
    path: str | Path,
    *,
    smoothing: SmoothingConfig | None = None,
    frames_per_second: float | None = None,
) -> Iterator[Prediction]:
    """Predict a video: one prediction per frame, in order, while the next frames are decoded and computed.

    Args:
        predictor: What segments each frame.
        path: A video file.
        smoothing: How much the frames before count; not at all by default.
        frames_per_second: A rate to hold, by showing the network smaller pictures.

    Raises:
        VideoError: At once if the file is missing or is no video; behind the last frame that could be read if it is
            damaged or cut off.
        ConfigError: If the predictor is a file that was exported with labels alone.
    """
    video = VideoFile(path)
    segmenter = FrameSegmenter(predictor, smoothing=smoothing, frames_per_second=frames_per_second)
    return _predictions(video, segmenter)


def _predictions(video: VideoFile, segmenter: FrameSegmenter) -> Iterator[Prediction]:
    for segmented in segmenter.all(ahead(video, FRAMES_AHEAD)):
        yield segmented.prediction
    if video.fault:
        raise VideoError(video.fault)


def _require_logits(predictor: "AnyPredictor") -> None:
    if isinstance(predictor, ExportedPredictor) and predictor.card.output == "labels":
        raise ConfigError(
            f"{predictor.name} was exported with labels alone: export it with --output logits for videos and cameras."
        )


def levels_of(predictor: "AnyPredictor") -> tuple[Level, ...]:
    """Ways to predict, finest first: as the network is, at output stride 16 if it has 8, then on less and less."""
    own = Level(predictor, 1.0, 1.0)
    if isinstance(predictor, ExportedPredictor) and predictor.card.size is not None:
        return (own,)
    coarse = _at_coarse_stride(predictor)
    first = [own] if coarse is None else [own, Level(coarse, 1.0, 1 / COST_OF_FINE)]
    predictor, _, cost = first[-1]
    return (*first, *(Level(predictor, scale, cost * scale**2) for scale in SCALES[1:]))


def _at_coarse_stride(predictor: "AnyPredictor") -> Predictor | None:
    if isinstance(predictor, ExportedPredictor):
        return None
    network = predictor.network
    if network.output_stride != FINE or network.build_at is None or predictor.session is not None:
        return None
    try:
        coarse = network.with_output_stride(COARSE)
    except (ConfigError, ValueError):  # it has but one, or its norms were folded
        return None
    return Predictor(
        coarse,
        predictor.labels,
        name=predictor.name,
        device=predictor.device,
        precision=predictor.precision,
        crf=predictor.crf,
        views=predictor.views,
        abstain=predictor.abstain,
    )


def _scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return image
    height, width = (max(round(side * scale), 1) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
