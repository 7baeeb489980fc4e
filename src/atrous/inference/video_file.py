"""Video files as frames: upright RGB, in order, each with its time."""

import heapq
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.errors import VideoError
from atrous.inference.video_container import cut_at, open_container, stated_count, video_stream

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer

USUAL_RATE = Fraction(25)
"""Frames per second where a file states none."""
CHUNK_HEAD = 8
"""Bytes before the content of a packet that some containers count as the packet's."""


class Frame(NamedTuple):
    """One picture of a video."""

    image: NDArray[np.uint8]
    """uint8 [H, W, 3], RGB, upright."""
    number: int
    """Counted from 0."""
    time: Fraction
    """Seconds, on the clock of the video and its sound."""
    duration: Fraction
    """Seconds until the next frame, as far as is known."""


class Timing(NamedTuple):
    """What a video says of the times of its frames before the first of them."""

    time_base: Fraction
    """Seconds per tick; every time is a whole number of ticks."""
    rate: Fraction
    """Frames per second, on the average."""


class VideoFile:
    """A video file; what it says of itself is there before its frames are read."""

    def __init__(self, path: str | Path) -> None:
        """Read what stands before the frames.

        Raises:
            VideoError: If the file is missing, is no video, has no frame to begin with, or PyAV is not installed.
        """
        self.path = Path(path)
        self.frames_read = 0
        self._damage: str | None = None
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            rate = Fraction(stream.average_rate or stream.guessed_rate or USUAL_RATE)
            aspect = Fraction(stream.sample_aspect_ratio or 1)
            self.timing = Timing(Fraction(stream.time_base or 1 / rate), rate)
            self.frame_count = stated_count(container, stream, rate)
            """As the file says; 0 where it says nothing. Only reading tells."""
            first = next(self._decoded(container, cut_at(self.path), []), None)
        if first is None:
            raise VideoError(f"{self.path} holds no frame that can be read: get a whole copy of this video.")
        turned = round(first.rotation / 90) % 2 == 1
        self.size = (first.width, first.height) if turned else (first.height, first.width)
        """(height, width) of its frames, upright."""
        self.pixel_aspect = 1 / aspect if turned else aspect
        """How wide a pixel is for its height."""

    @property
    def fault(self) -> str | None:
        """What was damaged or missing, as one sentence; known once the frames have been read."""
        if self._damage is None:
            return None
        frames = "1 frame" if self.frames_read == 1 else f"{self.frames_read} frames"
        return f"{self.path} {self._damage}: {frames} could be read; get a whole copy of this video."

    def __iter__(self) -> Iterator[Frame]:
        """Read all frames from the first on; what is damaged is left out, and stands in `fault`."""
        self.frames_read, self._damage = 0, None
        end = cut_at(self.path)
        with open_container(self.path) as container:
            for decoded, time in self._timed(container, end):
                duration = (decoded.duration or 0) * self.timing.time_base or 1 / self.timing.rate
                frame = Frame(_upright(decoded, self.size), self.frames_read, time, duration)
                self.frames_read += 1
                yield frame
        if end is not None and self.frame_count and self.frames_read >= self.frame_count:
            self._note(f"was cut off behind frame {self.frames_read}")
        elif end is not None:
            self._note(f"ends in the middle of frame {self.frames_read + 1}")

    def _timed(self, container: "InputContainer", end: int | None) -> Iterator[tuple["VideoFrame", Fraction]]:
        """The decoded frames with their times, each later than the one before."""
        slots: list[int] = []  # of the packets on their way through the decoder
        has_times = container.format.name != "avi"  # which has slots that follow each other instead
        last = None
        for frame in self._decoded(container, end, slots):
            slot = heapq.heappop(slots) if slots else None
            ticks = frame.pts if has_times else slot
            if ticks is None or (last is not None and ticks <= last):
                ticks = 0 if last is None else last + max(1, math.floor(1 / (self.timing.rate * self.timing.time_base)))
            last = ticks
            yield frame, ticks * self.timing.time_base

    def _decoded(self, container: "InputContainer", end: int | None, slots: list[int]) -> Iterator["VideoFrame"]:
        from av import FFmpegError

        stream = video_stream(container, self.path)
        stream.thread_type = "AUTO"
        for packet in self._packets(container, end):
            if packet.dts is not None:
                heapq.heappush(slots, packet.dts)
            try:
                frames = stream.decode(packet)
            except FFmpegError as error:
                self._note(f"is damaged at frame {self.frames_read + 1} ({error.strerror})")
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._note(f"is damaged at frame {self.frames_read + 1}")
                yield frame

    def _packets(self, container: "InputContainer", end: int | None) -> Iterator["Packet[Any]"]:
        """The packets of the video, without the one that the end of a cut file falls into."""
        from av import FFmpegError

        try:
            for packet in container.demux(video_stream(container, self.path)):
                if end is None or packet.pos is None or packet.pos + packet.size + CHUNK_HEAD < end:
                    yield packet
        except FFmpegError as error:
            self._note(f"cannot be read beyond frame {self.frames_read + 1} ({error.strerror})")

    def _note(self, damage: str) -> None:
        self._damage = self._damage or damage


def _upright(frame: "VideoFrame", size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3]: the frame as its file wants it shown; a file may change its size on the way."""
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    quarters = round(frame.rotation / 90) % 4
    upright = np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
    return upright if upright.shape[:2] == size else np.asarray(cv2.resize(upright, size[::-1]), np.uint8)
