from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from atrous.errors import OutputError
from atrous.inference.sound_copy import best_suffix
from atrous.inference.video_file import Timing, VideoFile
from atrous.inference.video_writer import Pixels, video_writer
from atrous.labels import Mask
from tests.inference.videos import images_of, plain_frames, sound_of, times_of, write_video
from tests.training.runs import files_below

UNEVEN = [0, 40, 47, 167, 168, 185, 300, 301, 900, 1000]
TIMING = Timing(Fraction(1, 1000), Fraction(25))


def copied(source: Path, target: Path) -> Path:
    video = VideoFile(source)
    with video_writer(target, "rgb24", video.size, video.timing, video.pixel_aspect, source) as writer:
        for frame in video:
            writer.write(frame.image, frame.time, frame.duration)
    return target


def duration_of(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        return Fraction(container.duration or 0, 1_000_000)


@pytest.mark.parametrize("times", [None, UNEVEN, [time + 700 for time in UNEVEN]], ids=["even", "uneven", "late"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_frames_sound_and_length_stay(name: str, times: list[int] | None, tmp_path: Path) -> None:
    source = write_video(tmp_path / name, plain_frames(10), times=times, sound="aac")
    target = copied(source, tmp_path / "copy.mp4")
    assert times_of(target) == times_of(source)
    if times is None:
        assert abs(duration_of(target) - duration_of(source)) < Fraction(1, 100)
    else:  # of uneven times the stranger's own file states no good length
        assert 0 < duration_of(target) - times_of(source)[-1] < Fraction(1, 5)
    pairs = list(zip(sound_of(target), sound_of(source), strict=True))
    assert all(ours[0] == theirs[0] for ours, theirs in pairs)
    assert all(abs(ours[1] - theirs[1]) <= Fraction(1, 1000) for ours, theirs in pairs)


@pytest.mark.parametrize(
    ("name", "sound", "suffix"),
    [
        ("a.mp4", "aac", ".mp4"),
        ("a.avi", "libmp3lame", ".mp4"),
        ("a.mkv", "pcm_u8", ".mkv"),
        ("a.mkv", None, ".mp4"),
    ],
)
def test_the_format_is_one_that_holds_the_sound(name: str, sound: Any, suffix: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / name, plain_frames(9), sound=sound)
    assert best_suffix(source) == suffix
    target = copied(source, tmp_path / f"copy{suffix}")
    assert len(images_of(target)) == 9
    if sound:
        assert [packet for packet, _ in sound_of(target)] == [packet for packet, _ in sound_of(source)]


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (2, 3)])
def test_a_video_has_the_size_of_its_frames_even_when_it_is_odd(size: tuple[int, int], tmp_path: Path) -> None:
    with video_writer(tmp_path / "a.mp4", "rgb24", size, TIMING) as writer:
        for number, image in enumerate(plain_frames(3, size)):
            writer.write(image, Fraction(number, 25), Fraction(1, 25))
    assert [image.shape for image in images_of(tmp_path / "a.mp4")] == [(*size, 3)] * 3


def test_colours_come_back_nearly_as_they_were(tmp_path: Path) -> None:
    colours = np.array([[(200, 30, 40), (30, 180, 60)], [(20, 60, 210), (240, 240, 30)]], np.uint8)
    image = np.kron(colours, np.ones((32, 32, 1), np.uint8))
    with video_writer(tmp_path / "a.mp4", "rgb24", (64, 64), TIMING) as writer:
        writer.write(image, Fraction(0), Fraction(1, 25))
    read = next(iter(VideoFile(tmp_path / "a.mp4"))).image
    centres = np.s_[16::32, 16::32]
    np.testing.assert_allclose(read[centres].astype(int), colours.astype(int), atol=6)


@pytest.mark.parametrize(("pixels", "largest"), [("gray", 256), ("gray16le", 65536)])
def test_masks_come_back_exactly(pixels: Pixels, largest: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dtype = np.uint8 if pixels == "gray" else np.uint16
    masks: list[Mask] = [rng.integers(0, largest, (33, 47)).astype(dtype) for _ in range(4)]
    with video_writer(tmp_path / "a.mkv", pixels, (33, 47), TIMING) as writer:
        for number, mask in enumerate(masks):
            writer.write(mask, Fraction(number, 25), Fraction(1, 25))
    for read, mask in zip(images_of(tmp_path / "a.mkv", pixels), masks, strict=True):
        np.testing.assert_array_equal(read, mask)


def test_a_block_that_fails_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("older")
    with suppress(RuntimeError), video_writer(tmp_path / "a.mp4", "rgb24", (48, 64), TIMING) as writer:
        writer.write(plain_frames(1)[0], Fraction(0), Fraction(1, 25))
        raise RuntimeError
    assert (tmp_path / "a.mp4").read_text() == "older"
    assert list(files_below(tmp_path)) == ["a.mp4"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), video_writer(tmp_path / "file" / "a.mp4", "rgb24", (8, 8), TIMING):
        pass
