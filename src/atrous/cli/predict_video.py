"""What `atrous predict` does with videos and cameras."""

import glob
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from atrous.errors import ConfigError, VideoError

if TYPE_CHECKING:
    from atrous.inference.predictor import Predictor
    from atrous.inference.recording import Shown
    from atrous.inference.video import FrameSegmenter, SegmentedFrame
    from atrous.inference.window import Window
    from atrous.progress import Progress


class Inputs(NamedTuple):
    """What a command was given, by what it is."""

    pictures: list[str]
    """Files, folders and patterns."""
    videos: list[Path]
    cameras: list[int]


class VideoChoices(NamedTuple):
    """What was asked for."""

    output: Path
    wanted: "list[Shown]"
    smoothing: float
    """Half-life in seconds; 0 for none."""
    fps: float | None
    show: bool


def sort_inputs(inputs: Sequence[str]) -> Inputs:
    """Tell pictures, videos (by their suffix) and cameras (whole numbers that are no files) apart."""
    from atrous.inference.video_container import VIDEO_SUFFIXES

    sorted_inputs = Inputs([], [], [])
    for given in inputs:
        path = Path(given)
        if given.isdecimal() and not path.exists():
            sorted_inputs.cameras.append(int(given))
        elif path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
            matches = [path] if path.exists() else sorted(map(Path, glob.glob(given, recursive=True)))
            sorted_inputs.videos.extend(matches or [path])
        else:
            sorted_inputs.pictures.append(given)
    if len(sorted_inputs.cameras) > 1:
        raise ConfigError("A camera does not end by itself: give one at a time.")
    return sorted_inputs


def possible_files(stem: str, choices: VideoChoices) -> list[Path]:
    """Where results may go, before it is known which of two formats can hold the sound of a video."""
    return [choices.output / f"{stem}_{shown}{suffix}" for shown in choices.wanted for suffix in (".mp4", ".mkv")]


def predict_videos(
    predictor: "Predictor", videos: Sequence[tuple[Path, str]], choices: VideoChoices, progress: "Progress"
) -> int:
    """Segment videos one after the other; return how many were not read to their end."""
    failures = 0
    for path, stem in videos:
        try:
            _predict_video(predictor, path, stem, choices, progress)
        except VideoError as error:
            failures += 1
            print(f"Error: {error}", file=sys.stderr)
    return failures


def predict_camera(predictor: "Predictor", index: int, choices: VideoChoices, progress: "Progress") -> None:
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


def _predict_video(predictor: "Predictor", path: Path, stem: str, choices: VideoChoices, progress: "Progress") -> None:
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


def _segmenter(predictor: "Predictor", choices: VideoChoices) -> "FrameSegmenter":
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
