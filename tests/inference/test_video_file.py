from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from atrous.errors import VideoError
from atrous.inference.stated_length import stated_length
from atrous.inference.video_file import VideoFile
from tests.inference.videos import images_of, plain_frames, times_of, write_video
from tests.tiny_data import noise, one_sentence

FASTSTART = {"movflags": "faststart"}
UNEVEN = [0, 40, 47, 167, 168, 185, 300, 301, 900, 1000]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi", "a.webm", "a.ts"])
def test_every_frame_is_read_in_its_order_at_its_time(name: str, tmp_path: Path) -> None:
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    path = write_video(tmp_path / name, plain_frames(30), codec=codec)
    video = VideoFile(path)
    frames = list(video)
    assert [frame.number for frame in frames] == list(range(30))
    assert video.size == (48, 64)
    assert video.fault is None
    levels = [float(frame.image.mean()) for frame in frames]
    np.testing.assert_allclose(levels, [20 + 5 * number for number in range(30)], atol=3)
    times = [frame.time - frames[0].time for frame in frames]
    assert times == [Fraction(number, 25) for number in range(30)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_frames_keep_times_that_are_not_even(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, plain_frames(10), times=UNEVEN)
    assert [frame.time for frame in VideoFile(path)] == [Fraction(time, 1000) for time in UNEVEN] == times_of(path)


def test_the_pixels_are_those_that_pyav_decodes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [noise((34, 50), seed) for seed in range(4)])
    for frame, image in zip(VideoFile(path), images_of(path), strict=True):
        np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_video_that_lies_on_its_side_is_turned_upright(rotation: int, tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:16, :16] = 255
    path = write_video(tmp_path / "a.mp4", [image] * 2, rotation=rotation)
    video = VideoFile(path)
    first = next(iter(video)).image
    np.testing.assert_allclose(first, np.rot90(image, rotation // 90), atol=12)
    assert first.shape[:2] == video.size


def whole_or_cut(path: Path, share: float) -> Path:
    cut = path.with_name(f"cut{path.suffix}")
    content = path.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    return cut


@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [
        ("a.mp4", FASTSTART, "libx264"),
        ("a.mov", FASTSTART, "mjpeg"),
        ("a.mkv", None, "libx264"),
        ("a.avi", None, "mjpeg"),
        ("a.avi", None, "libx264"),
    ],
)
def test_of_a_video_that_was_cut_off_all_whole_frames_are_read_and_the_broken_one_is_named(
    name: str, options: dict[str, str] | None, codec: str, tmp_path: Path
) -> None:
    images = [noise((48, 64), seed) for seed in range(12)]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    whole = write_video(tmp_path / name, images, codec=codec, options=options, pixel_format=pixels)
    expected = [frame.image for frame in VideoFile(whole)]
    video = VideoFile(whole_or_cut(whole, 0.7))
    frames = list(video)
    assert 4 <= len(frames) < 12
    for frame in frames[:-2]:  # of the last ones, those that others are shown after may be missing
        np.testing.assert_array_equal(frame.image, expected[frame.number])
    assert video.fault is not None
    assert f"frame {len(frames) + 1}" in one_sentence(VideoError(video.fault))


def test_a_video_whose_table_of_frames_is_missing_is_one_sentence(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", plain_frames(30))  # the table comes last
    with pytest.raises(VideoError) as caught:
        VideoFile(whole_or_cut(whole, 0.9))
    assert "cut off" in one_sentence(caught.value)


def test_damage_inside_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    images = [noise((48, 64), seed) for seed in range(12)]
    path = write_video(tmp_path / "a.avi", images, codec="mjpeg", pixel_format="yuvj420p")
    content = bytearray(path.read_bytes())
    starts = [place for place in range(len(content)) if content[place : place + 3] == b"\xff\xd8\xff"]
    content[starts[5] : starts[6] - 8] = bytes(starts[6] - 8 - starts[5])
    path.write_bytes(content)
    video = VideoFile(path)
    assert len(list(video)) == 11
    assert video.fault is not None
    assert "damaged at frame" in one_sentence(VideoError(video.fault))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.mp4", None, "There is no video"),
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"no video at all" * 9, "is no video"),
        ("list.mkv", b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", "is no video"),
    ],
)
def test_what_is_no_video_is_one_sentence(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError) as caught:
        VideoFile(path)
    assert words in one_sentence(caught.value)
    assert name in str(caught.value)


def test_a_playlist_does_not_open_other_files(tmp_path: Path) -> None:
    write_video(tmp_path / "other.ts", plain_frames(5))
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\nother.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        VideoFile(playlist)


def test_a_folder_or_a_sound_is_no_video(tmp_path: Path) -> None:
    import wave

    (tmp_path / "a.mp4").mkdir()
    with wave.open(str(tmp_path / "b.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    for name in ("a.mp4", "b.avi"):
        with pytest.raises(VideoError) as caught:
            VideoFile(tmp_path / name)
        assert name in one_sentence(caught.value)


def test_without_pyav_a_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(VideoError) as caught:
        VideoFile(tmp_path / "a.mp4")
    assert "pip install" in one_sentence(caught.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
def test_a_whole_file_has_as_many_bytes_as_it_says(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, plain_frames(9), sound="libmp3lame")
    assert stated_length(path) == path.stat().st_size


def test_a_file_of_another_kind_says_nothing_of_its_length(tmp_path: Path) -> None:
    assert stated_length(write_video(tmp_path / "a.ts", plain_frames(3))) is None
    (tmp_path / "b").write_bytes(b"")
    assert stated_length(tmp_path / "b") is None
