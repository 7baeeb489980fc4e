"""Frames to video files: every frame at its own time, sound and subtitles as they were."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from atrous.files import replacing
from atrous.inference.sound_copy import SoundCopy, sound_copy
from atrous.inference.video_container import CONTAINERS
from atrous.inference.video_file import Timing
from atrous.labels import Mask

if TYPE_CHECKING:
    from av.container import OutputContainer

Pixels = Literal["rgb24", "gray", "gray16le"]
"""What frames consist of, in FFmpeg's words: colours, or class indices of 8 or 16 bits."""

QUALITY = {"crf": "18", "preset": "veryfast"}
"""x264's: at 18 the loss is hardly seen."""
BT709 = 1
"""ITU-R BT.709 among matrices, primaries and transfer curves (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""FFmpeg's number of levels from 16 to 235."""


class VideoWriter:
    """A video file in the making; `video_writer` opens and closes it."""

    def __init__(
        self,
        container: "OutputContainer",
        pixels: Pixels,
        size: tuple[int, int],
        timing: Timing,
        pixel_aspect: Fraction = Fraction(1),
        sound: SoundCopy | None = None,
    ) -> None:
        """Prepare the encoder.

        Args:
            container: An empty file.
            pixels: What the frames consist of.
            size: (height, width) of all frames.
            timing: That of the frames that will come.
            pixel_aspect: How wide a pixel is for its height.
            sound: What goes beside the pictures.
        """
        self.container, self.pixels, self.sound = container, pixels, sound
        self.time_base = timing.time_base
        self.stream = _stream(container, pixels, timing)
        encoder = self.stream.codec_context
        encoder.height, encoder.width = size
        encoder.sample_aspect_ratio = pixel_aspect
        encoder.pix_fmt = pixels
        if pixels == "rgb24":
            # Colours at half the size, which every player can show, need even sizes.
            encoder.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
            encoder.max_b_frames = 0  # with them a file begins before time 0, which not every player undoes
            encoder.colorspace = encoder.color_primaries = encoder.color_trc = BT709
            encoder.color_range = LIMITED_RANGE
        self._durations: dict[int, int] = {}

    def write(self, image: NDArray[np.uint8] | Mask, time: Fraction, duration: Fraction) -> None:
        """Append a frame, and the sound until then.

        Args:
            image: uint8 [H, W, 3], RGB; of a mask uint8 or uint16 [H, W].
            time: Seconds; later than that of the frame before.
            duration: Seconds.
        """
        frame = self._frame(image)
        frame.pts, frame.time_base = round(time / self.time_base), self.time_base
        self._durations[frame.pts] = round(duration / self.time_base)
        if self.sound:
            self.sound.copy_until(time)
        self._mux(self.stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and the rest of the sound."""
        self._mux(self.stream.encode())
        if self.sound:
            self.sound.copy_until(None)

    def _frame(self, image: NDArray[np.uint8] | Mask) -> av.VideoFrame:
        values = (
            np.ascontiguousarray(image, np.uint16)
            if self.pixels == "gray16le"
            else np.ascontiguousarray(image, np.uint8)
        )
        frame = av.VideoFrame.from_ndarray(values, format=self.pixels)
        if self.pixels != "rgb24":
            return frame
        return frame.reformat(format=self.stream.pix_fmt, dst_colorspace="itu709", dst_color_range=LIMITED_RANGE)

    def _mux(self, packets: "list[av.Packet[Any]]") -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, 0)
        self.container.mux(packets)


def _stream(container: "OutputContainer", pixels: Pixels, timing: Timing) -> av.VideoStream:
    if pixels == "rgb24":
        stream = container.add_stream("libx264", timing.rate, QUALITY)
    else:
        stream = container.add_stream("ffv1", timing.rate)
    stream.codec_context.time_base = timing.time_base
    return stream


@contextmanager
def video_writer(
    path: Path,
    pixels: Pixels,
    size: tuple[int, int],
    timing: Timing,
    pixel_aspect: Fraction = Fraction(1),
    sound_of: Path | None = None,
) -> Iterator[VideoWriter]:
    """Write a video that is in its place once the block has ended well.

    Pictures are H.264. Masks are FFV1, which loses nothing: 8 or 16 bits of grey that are class indices.

    Args:
        path: Ends with .mp4 or .mkv.
        pixels: What the frames consist of.
        size: (height, width) of all frames.
        timing: That of the frames that will come.
        pixel_aspect: How wide a pixel is for its height.
        sound_of: The video whose sound and subtitles are copied.

    Raises:
        OutputError: If the place cannot be written.
        VideoError: If `sound_of` cannot be read.
    """
    with ExitStack() as stack:
        temporary = stack.enter_context(replacing(path, flush=False))
        options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
        container = av.open(f"file:{temporary}", "w", format=CONTAINERS[path.suffix], container_options=options)
        stack.enter_context(container)
        sound = stack.enter_context(sound_copy(sound_of, container)) if sound_of else None
        writer = VideoWriter(container, pixels, size, timing, pixel_aspect, sound)
        yield writer
        writer.finish()
