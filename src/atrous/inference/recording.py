"""What a network says about a video, as videos and on the screen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from atrous.inference.predictor import Prediction
from atrous.inference.sound_copy import best_suffix
from atrous.inference.video import SegmentedFrame
from atrous.inference.video_container import require_pyav
from atrous.inference.video_file import Timing, VideoFile
from atrous.inference.window import Window
from atrous.labels import LabelSpace, Mask

if TYPE_CHECKING:
    from atrous.inference.video_writer import Pixels, VideoWriter

Shown = Literal["mask", "overlay", "color"]
"""What a video can show of each frame; that of masks holds class indices and loses nothing."""


class Source(Protocol):
    """Where frames come from: a video file or a camera."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its frames."""

    @property
    def timing(self) -> Timing:
        """That of its frames."""


class Recorder:
    """Shows each frame in several videos and a window at once."""

    def __init__(self, writers: "Mapping[Shown, VideoWriter]", window: Window | None = None) -> None:
        """Take the open videos, see `recorder`, and a window in which overlays are shown."""
        self.writers, self.window = writers, window

    def show(self, segmented: SegmentedFrame) -> bool:
        """Append a frame to everything; return whether anybody still wants the next one."""
        frame, prediction, _ = segmented
        pictures = {shown: _picture(prediction, shown) for shown in self.writers}
        for shown, writer in self.writers.items():
            writer.write(pictures[shown], frame.time, frame.duration)
        if self.window is None:
            return True
        overlay = pictures.get("overlay")
        return self.window.show(prediction.overlay() if overlay is None else overlay.astype(np.uint8, copy=False))


@contextmanager
def recorder(
    files: Mapping[Shown, Path], source: Source, labels: LabelSpace, window: Window | None = None
) -> Iterator[Recorder]:
    """Open what shows the frames of a source; its videos are in their places once the block has ended well.

    Args:
        files: What to write, and where; `recorded_files` proposes it.
        source: The video or camera; the pictures of a video have its sound and subtitles beside them.
        labels: Of the network.
        window: Shows overlays, too; it is closed at the end.

    Raises:
        OutputError: If a place cannot be written.
        VideoError: If PyAV, which writes videos, is not installed.
    """
    video = source if isinstance(source, VideoFile) else None
    aspect = video.pixel_aspect if video else Fraction(1)
    for path in files.values():
        require_pyav(path)
    with ExitStack() as stack:
        if window:
            stack.callback(window.close)
        writers: dict[Shown, VideoWriter] = {}
        for shown, path in files.items():
            from atrous.inference.video_writer import video_writer

            pixels = _pixels(shown, labels)
            sound_of = video.path if video and shown != "mask" else None
            writer = video_writer(path, pixels, source.size, source.timing, aspect, sound_of)
            writers[shown] = stack.enter_context(writer)
        yield Recorder(writers, window)


def recorded_files(folder: Path, stem: str, wanted: Sequence[Shown], video: Path | None) -> dict[Shown, Path]:
    """Propose where videos go: STEM_mask.mkv, STEM_overlay.mp4, STEM_color.mp4; .mkv where sound asks for it.

    Raises:
        VideoError: If `video`, whose sound is to be copied, cannot be read.
    """
    suffix = best_suffix(video) if video else ".mp4"
    return {shown: folder / f"{stem}_{shown}{'.mkv' if shown == 'mask' else suffix}" for shown in wanted}


def _pixels(shown: Shown, labels: LabelSpace) -> "Pixels":
    if shown != "mask":
        return "rgb24"
    return "gray" if labels.mask_dtype is np.uint8 else "gray16le"


def _picture(prediction: Prediction, shown: Shown) -> NDArray[np.uint8] | Mask:
    match shown:
        case "mask":
            return prediction.mask
        case "overlay":
            return prediction.overlay()
        case "color":
            return prediction.color()
        case _:
            assert_never(shown)
