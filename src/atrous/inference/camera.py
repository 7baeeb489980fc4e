"""A camera as frames: those that there is time for, with the times at which they were seen."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.errors import VideoError
from atrous.inference.video_file import Frame, Timing

MILLISECOND = Fraction(1, 1000)
USUAL_RATE = 30


class Capture(Protocol):
    """What OpenCV's `VideoCapture` is, as far as we need it."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether there is such a camera."""

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        """The next picture, BGR, and whether there was one."""

    def release(self) -> None:
        """Close the camera."""


class Camera:
    """A live source of frames: it does not wait, and it does not end by itself."""

    def __init__(
        self,
        index: int,
        open_capture: Callable[[int], Capture] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Switch a camera on and look once.

        Args:
            index: 0 is the first camera.
            open_capture: What opens it; OpenCV by default.
            clock: Seconds that pass.

        Raises:
            VideoError: If there is no such camera, or it shows nothing.
        """
        self.index, self.clock = index, clock
        self.fault: str | None = None
        """Why it ended, as one sentence."""
        self.frames_seen = 0
        self._wanted = True
        self._capture = (open_capture or _opencv_capture)(index)
        found, first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not found or first is None:
            self._capture.release()
            raise VideoError(f"There is no camera {index} that shows pictures: {_cameras_in_words()}.")
        self.size = first.shape[:2]
        self.timing = Timing(MILLISECOND, Fraction(USUAL_RATE))
        self._started = clock()

    def __iter__(self) -> Iterator[Frame]:
        """Look again and again, until `stop` is called or the camera shows nothing any more."""
        last = -1
        try:
            while self._wanted:
                found, image = self._capture.read()
                if not found or image is None:
                    self.fault = f"Camera {self.index} shows nothing any more: see whether it is still plugged in."
                    return
                last = max(last + 1, round((self.clock() - self._started) / MILLISECOND))
                pixels = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(pixels, self.frames_seen, last * MILLISECOND, Fraction(1, USUAL_RATE))
                self.frames_seen += 1
        finally:
            self._capture.release()

    def stop(self) -> None:
        """Let the frame in progress be the last."""
        self._wanted = False


def _opencv_capture(index: int) -> Capture:
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # we have a sentence of our own
    try:
        capture: Capture = cv2.VideoCapture(index)
    finally:
        cv2.utils.logging.setLogLevel(level)
    return capture


def _cameras_in_words() -> str:
    """Which cameras there are, as far as Linux lists them."""
    there_are = sorted(int(path.name[5:]) for path in Path("/dev").glob("video*") if path.name[5:].isdigit())
    if there_are:
        return f"there are {', '.join(map(str, there_are))}, if nobody else uses them"
    return "plug one in, or give a video file"
