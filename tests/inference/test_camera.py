import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.errors import VideoError
from atrous.inference.camera import Camera
from tests.tiny_data import one_sentence


class FakeCapture:
    """A camera of so many pictures, BGR, each darker than the one before."""

    def __init__(self, pictures: int) -> None:
        self.left, self.released = pictures, False

    def isOpened(self) -> bool:  # noqa: N802
        return self.left > 0

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        if self.left == 0:
            return False, None
        self.left -= 1
        image = np.zeros((24, 32, 3), np.uint8)
        image[..., 0] = 10 * self.left % 256  # blue
        return True, image

    def release(self) -> None:
        self.released = True


def test_frames_are_rgb_and_have_the_times_at_which_they_were_seen() -> None:
    clock = itertools.count(100, 0.04)
    camera = Camera(0, lambda _: FakeCapture(5), lambda: next(clock))
    frames = list(camera)
    assert camera.size == (24, 32)
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert [round(float(frame.time), 3) for frame in frames] == [0.04, 0.08, 0.12, 0.16]
    assert [frame.image[0, 0].tolist() for frame in frames] == [[0, 0, value] for value in (30, 20, 10, 0)]


def test_two_frames_never_have_one_time() -> None:
    frames = list(Camera(0, lambda _: FakeCapture(5), lambda: 0.0))
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))


def test_a_camera_that_is_not_there_is_one_sentence() -> None:
    capture = FakeCapture(0)
    with pytest.raises(VideoError) as caught:
        Camera(7, lambda _: capture)
    assert "no camera 7" in one_sentence(caught.value)
    assert capture.released
    with pytest.raises(VideoError):
        Camera(99)


def test_a_camera_that_was_unplugged_ends_with_a_sentence() -> None:
    capture = FakeCapture(3)
    camera = Camera(0, lambda _: capture)
    assert len(list(camera)) == 2
    assert camera.fault is not None
    assert "plugged in" in one_sentence(VideoError(camera.fault))
    assert capture.released


def test_a_camera_is_released_when_nobody_looks_any_longer() -> None:
    capture = FakeCapture(100)
    frames = iter(Camera(0, lambda _: capture))
    next(frames)
    del frames
    assert capture.released
