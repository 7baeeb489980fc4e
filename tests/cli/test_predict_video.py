from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atrous.inference.camera import Camera
from atrous.inference.predictor import load
from atrous.inference.smoothing import SmoothingConfig
from tests.cli.terminal import Terminal
from tests.colour_graph import CARD, write_colour_graph
from tests.inference.test_camera import FakeCapture
from tests.inference.test_video import FakeWindow
from tests.inference.videos import images_of, moving_square, sound_of, times_of, write_video
from tests.training.runs import files_below


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "square.mp4", moving_square(8, noise=20).images, sound="aac")


def test_a_video_gives_a_video_of_masks_and_one_to_look_at(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    code, out, err = atrous("predict", model, video, "-o", tmp_path / "out", "--smoothing", 0)
    assert (code, err) == (0, "")
    assert "frames/s" in out
    assert sorted(files_below(tmp_path / "out")) == ["square_mask.mkv", "square_overlay.mp4"]
    overlay, mask = tmp_path / "out" / "square_overlay.mp4", tmp_path / "out" / "square_mask.mkv"
    assert times_of(overlay) == times_of(mask) == times_of(video)
    assert sound_of(overlay) == sound_of(video)
    for written, expected in zip(images_of(mask, "gray"), load(model).video(video), strict=True):
        np.testing.assert_array_equal(written, expected.mask)


def test_videos_are_smoothed_unless_they_are_not_to_be(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    assert atrous("predict", model, video, "-o", tmp_path / "out", "--save", "mask", "-q") == (0, "", "")
    masks = images_of(tmp_path / "out" / "square_mask.mkv", "gray")
    expected = [prediction.mask for prediction in load(model).video(video, smoothing=SmoothingConfig())]
    np.testing.assert_array_equal(np.stack(masks), np.stack(expected))


def test_an_exported_file_segments_a_video(atrous: Terminal, video: Path, tmp_path: Path) -> None:
    exported = write_colour_graph(tmp_path / "colours.onnx")
    done = atrous("predict", exported, video, "-o", tmp_path / "out", "--save", "mask", "--fps", 1000)
    assert done.code == 0
    assert "for few pictures" not in done.out
    masks = images_of(tmp_path / "out" / "square_mask.mkv", "gray")
    assert len(masks) == len(images_of(video))
    assert masks[0].shape == images_of(video)[0].shape[:2]


def test_a_file_with_labels_alone_has_nothing_to_smooth(atrous: Terminal, video: Path, tmp_path: Path) -> None:
    card = CARD.model_copy(update={"output": "labels"})
    sentence = atrous.fails(
        "predict", write_colour_graph(tmp_path / "a.onnx", card=card), video, "-o", tmp_path / "out"
    )
    assert "--output logits for videos and cameras" in sentence
    assert not (tmp_path / "out").exists()


def test_pictures_and_videos_of_one_name_do_not_collide(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(tmp_path / "square.png")
    pattern = video.with_name("*.mp4")
    assert atrous("predict", model, tmp_path / "square.png", pattern, "-o", tmp_path / "out").code == 0
    assert len(files_below(tmp_path / "out")) == 4


def test_a_video_that_was_cut_off_is_kept_as_far_as_it_goes_and_does_not_stop_the_next(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    cut = write_video(tmp_path / "cut.mkv", moving_square(12, noise=20).images)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    code, _, err = atrous("predict", model, cut, tmp_path / "none.mp4", video, "-o", tmp_path / "out")
    assert code == 1
    first, second = err.splitlines()
    kept = len(images_of(tmp_path / "out" / "cut_overlay.mp4"))
    assert 3 < kept < 12
    assert f"frame {kept + 1}" in first
    assert "none.mp4" in second
    assert len(images_of(tmp_path / "out" / "square_overlay.mp4")) == 8


def test_a_result_never_replaces_a_video_that_is_still_to_be_segmented(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    other = video.rename(tmp_path / "square_overlay.mp4")
    first = write_video(tmp_path / "square.mp4", moving_square(2).images)
    before = files_below(tmp_path)
    assert "square_overlay.mp4" in atrous.fails("predict", model, first, other, "-o", tmp_path)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("words", [["--save", "cvat"], ["--save", "masks"], ["--fps", "15", "--save", "labelme"]])
def test_of_a_video_there_are_masks_overlays_and_colours(
    words: list[str], atrous: Terminal, model: Path, video: Path, tmp_path: Path
) -> None:
    assert "mask" in atrous.fails("predict", model, video, "-o", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Plug in a camera of so many pictures."""

    def plug_in(pictures: int) -> None:
        capture: Any = FakeCapture(pictures)
        monkeypatch.setattr("atrous.inference.camera._opencv_capture", lambda _: capture)

    return plug_in


def test_a_camera_is_recorded_until_its_window_is_closed(
    atrous: Terminal, model: Path, tmp_path: Path, camera: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera(1_000_000)
    window = FakeWindow(3)
    monkeypatch.setattr("atrous.inference.window.TkWindow", lambda _: window)
    code, out, err = atrous("predict", model, 0, "--show", "--save", "overlay", "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "3 frames" in out
    assert len(window.shown) == 3
    assert [image.shape for image in images_of(tmp_path / "out" / "camera0_overlay.mp4")] == [(24, 32, 3)] * 3


def test_a_window_alone_writes_nothing(
    atrous: Terminal, model: Path, tmp_path: Path, camera: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera(1_000_000)
    monkeypatch.setattr("atrous.inference.window.TkWindow", lambda _: FakeWindow(2))
    assert atrous("predict", model, 0, "--show", "-o", tmp_path / "out").code == 0
    assert not (tmp_path / "out").exists()


def test_a_camera_that_was_unplugged_leaves_what_it_saw(
    atrous: Terminal, model: Path, tmp_path: Path, camera: Callable[[int], None]
) -> None:
    camera(4)
    sentence = atrous.fails("predict", model, 0, "-o", tmp_path / "out")
    assert "plugged in" in sentence
    assert 1 <= len(images_of(tmp_path / "out" / "camera0_overlay.mp4")) <= 3


def test_ctrl_c_ends_a_recording_and_keeps_it(
    atrous: Terminal, model: Path, tmp_path: Path, camera: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    camera(1_000_000)
    read = Camera.__iter__

    def pressed(self: Camera) -> Any:
        for frame in read(self):
            if frame.number == 4:
                signal.raise_signal(signal.SIGINT)
            yield frame

    monkeypatch.setattr(Camera, "__iter__", pressed)
    assert atrous("predict", model, 0, "-o", tmp_path / "out").code == 0
    assert images_of(tmp_path / "out" / "camera0_overlay.mp4")


def test_a_camera_that_is_not_there_is_one_sentence(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    assert "no camera 99" in atrous.fails("predict", model, 99, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_camera_at_a_time(atrous: Terminal, model: Path) -> None:
    assert "one at a time" in atrous.fails("predict", model, 0, 1)


def test_without_a_display_show_is_one_sentence(
    atrous: Terminal, model: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "--show" in atrous.fails("predict", model, video, "--show", "-o", tmp_path / "out")
    assert "videos and cameras" in atrous.fails("predict", model, tmp_path, "--show", "-o", tmp_path / "out")
