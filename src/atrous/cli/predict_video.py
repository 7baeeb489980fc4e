"""What `atrous predict` does with videos and cameras."""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atrous.errors import VideoError

if TYPE_CHECKING:
    from atrous.inference.recording import Shown
    from atrous.inference.sliding_window import AnyPredictor
    from atrous.inference.video import FrameSegmenter, SegmentedFrame
    from atrous.inference.window import Window
    from atrous.progress import Progress


class VideoChoices(NamedTuple):
    """What was asked for."""

    output: Path
    wanted: "list[Shown]"
    smoothing: float
    """Half-life in seconds; 0 for none."""
    fps: float | None
    show: bool


def possible_files(stem: str, choices: VideoChoices) -> list[Path]:
    """Where results may go, before it is known which of two formats can hold the sound of a video."""
    return [choices.output / f"{stem}_{shown}{suffix}" for shown in choices.wanted for suffix in (".mp4", ".mkv")]


def predict_videos(
    predictor: "AnyPredictor", videos: Sequence[tuple[Path, str]], choices: VideoChoices, progress: "Progress"
) -> int:
    """Segment this process's videos one after the other; return how many were not read to their end."""
    from atrous.inference.many import numbers_of_process

    failures = 0
    for path, stem in (videos[number] for number in numbers_of_process(len(videos))):
        try:
            _predict_video(predictor, path, stem, choices, progress)
        except VideoError as error:
            failures += 1
            print(f"Error: {error}", file=sys.stderr)
    return failures


def predict_camera(predictor: "AnyPredictor", index: int, choices: VideoChoices, progress: "Progress") -> None:
    """Segment what a camera sees, until Ctrl-C or the window's end; what was recorded is kept.

    Raises:
        VideoError: If there is no such camera, or it stopped.
    """
    from atrous.inference.ahead import newest
    from atrous.inference.camera import Camera
    from atrous.inference.recording import recorded_files, recorder
    from atrous.training.interrupt import Interrupt

    window = _window(f"camera {index}", choices)
    camera = Camera(index)
    files = recorded_files(choices.output, f"camera{index}", choices.wanted, None)
    progress.say(f"Camera {index} is on: Ctrl-C{', q in the window' if window else ''} ends it.")
    segmenter = _segmenter(predictor, choices)
    with (
        Interrupt() as interrupt,
        closing(segmenter.all(newest(camera), ahead_by=1)) as frames,
        recorder(files, camera, predictor.labels, window) as recording,
    ):
        count, seen, seconds = 0, 0, 0.0
        for segmented in frames:
            count, seen, seconds = count + 1, segmented.frame.number + 1, float(segmented.frame.time)
            if not recording.show(segmented) or interrupt.requested:
                break
    progress.say(f"{_summary(count, seconds, files.values())}; {seen - count} more were seen and left out")
    if camera.fault:
        raise VideoError(camera.fault)


def _predict_video(
    predictor: "AnyPredictor", path: Path, stem: str, choices: VideoChoices, progress: "Progress"
) -> None:
    from atrous.inference.ahead import ahead
    from atrous.inference.recording import recorded_files, recorder
    from atrous.inference.video import FRAMES_AHEAD
    from atrous.inference.video_file import VideoFile

    video = VideoFile(path)
    files = recorded_files(choices.output, stem, choices.wanted, path)
    window = _window(path.name, choices)
    segmenter = _segmenter(predictor, choices)
    started = time.monotonic()
    with (
        closing(segmenter.all(ahead(video, FRAMES_AHEAD), FRAMES_AHEAD)) as frames,
        recorder(files, video, predictor.labels, window) as recording,
        progress.task(f"Segmenting {path.name}", video.frame_count) as task,
    ):
        count = 0
        for segmented in frames:
            count += 1
            watched = recording.show(segmented)
            task.advance(_note(segmented, count / (time.monotonic() - started)))
            if not watched and not files:
                break
    progress.say(_summary(count, time.monotonic() - started, files.values()))
    if video.fault:
        raise VideoError(video.fault)


def _segmenter(predictor: "AnyPredictor", choices: VideoChoices) -> "FrameSegmenter":
    from atrous.inference.smoothing import SmoothingConfig
    from atrous.inference.video import FrameSegmenter

    smoothing = SmoothingConfig(half_life=choices.smoothing) if choices.smoothing > 0 else None
    return FrameSegmenter(predictor, smoothing=smoothing, frames_per_second=choices.fps)


def _window(title: str, choices: VideoChoices) -> "Window | None":
    if not choices.show:
        return None
    from atrous.inference.window import TkWindow

    return TkWindow(f"{title} - atrous")


def _note(segmented: "SegmentedFrame", rate: float) -> str:
    """What stands beside the progress: the rate, and how much of its size the network sees if that is not all."""
    size = f", size {segmented.scale:.0%}" if segmented.scale < 1 else ""
    return f"{rate:.1f} frames/s{size}"


def _summary(count: int, seconds: float, files: Iterable[Path]) -> str:
    frames = "1 frame" if count == 1 else f"{count} frames"
    written = ", ".join(map(str, files))
    rate = f" ({count / seconds:.1f} per second)" if seconds > 0 else ""
    return f"{frames} segmented{rate}" + (f"; written: {written}" if written else "")
