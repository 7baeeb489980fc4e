from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.errors import VideoError
from atrous.inference.exported import load_exported
from atrous.inference.predictor import Predictor
from atrous.inference.recording import Recorder, recorded_files, recorder
from atrous.inference.smoothing import SmoothingConfig
from atrous.inference.video import FrameSegmenter, SegmentedFrame, levels_of, predict_video
from atrous.inference.video_file import Frame, Timing, VideoFile
from atrous.inference.views import View, Views
from atrous.labels import LabelSpace
from atrous.networks import build_network
from tests.colour_graph import write_colour_graph
from tests.inference.videos import images_of, moving_square, plain_frames, times_of, write_video
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, network_that_knows_colours, one_sentence
from tests.training.runs import files_below

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "square.mkv", moving_square(12).images, sound="aac")


def test_a_video_is_predicted_frame_by_frame_as_its_pictures_are(predictor: Predictor, video: Path) -> None:
    predictions = list(predict_video(predictor, video))
    assert len(predictions) == 12
    for prediction, image in zip(predictions, images_of(video), strict=True):
        np.testing.assert_array_equal(prediction.image, image)
        np.testing.assert_array_equal(prediction.mask, predictor(image).mask)
    first = next(iter(predictor.video(video)))
    np.testing.assert_array_equal(first.mask, predictions[0].mask)


def test_an_exported_file_says_of_each_frame_what_its_network_says(
    predictor: Predictor, video: Path, tmp_path: Path
) -> None:
    exported = load_exported(write_colour_graph(tmp_path / "colours.onnx"), views=Views(flip=True))
    smoothed = predict_video(exported, video, smoothing=SmoothingConfig())
    ours = Predictor(predictor.network, LABELS, name="colours", device=CPU, views=Views(flip=True))
    for theirs, prediction in zip(smoothed, predict_video(ours, video, smoothing=SmoothingConfig()), strict=True):
        np.testing.assert_allclose(theirs.probabilities, prediction.probabilities, atol=1e-4)


def test_a_video_that_was_cut_off_is_predicted_to_its_last_frame_and_then_an_error(
    predictor: Predictor, video: Path
) -> None:
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    predictions = predict_video(predictor, video)
    taken = [next(predictions) for _ in range(4)]
    with pytest.raises(VideoError) as caught:
        taken.extend(predictions)
    assert f"frame {len(taken) + 1}" in one_sentence(caught.value)


def test_a_missing_video_is_an_error_before_the_first_frame_is_asked_for(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(VideoError):
        predict_video(predictor, tmp_path / "none.mp4")


class Clock:
    """A clock that a network moves by as long as it would take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def slow(clock: Clock, seconds: Callable[[int], float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every frame take so many seconds for so many pixels."""
    logits = Predictor.logits

    def slowly(self: Predictor, image: NDArray[np.uint8], view: View) -> torch.Tensor:
        clock.now += seconds(image.shape[0] * image.shape[1])
        return logits(self, image, view)

    monkeypatch.setattr(Predictor, "logits", slowly)


def test_a_wanted_rate_is_held_by_showing_less_and_masks_keep_their_size(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    slow(clock, lambda pixels: 0.2 * pixels / (96 * 144), monkeypatch)
    segmenter = FrameSegmenter(predictor, frames_per_second=15, smoothing=SmoothingConfig(), clock=clock)
    image = moving_square(1).images[0]
    passed = [segmenter(Frame(image, number, Fraction(number, 15), Fraction(1, 15))) for number in range(30)]
    assert passed[0].scale == 1
    assert all(segmented.scale == passed[-1].scale for segmented in passed[10:])
    assert 0.9 / 15 * 0.7 < 0.2 * passed[-1].scale ** 2 < 1 / 15
    assert all(segmented.prediction.mask.shape == (96, 144) for segmented in passed)
    assert (passed[-1].prediction.mask != passed[0].prediction.mask).mean() < 0.02


def test_a_video_may_be_seen_at_several_scales_and_mirrored(video: Path) -> None:
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], 3)
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    views = Views(scales=(1, 0.75), flip=True)
    several = Predictor(network, LABELS, name="several", device=CPU, views=views)
    predictions = list(several.video(video))
    for prediction, image in zip(predictions, images_of(video), strict=True):
        np.testing.assert_array_equal(prediction.mask, several(image).mask)
    smooth = list(several.video(video, smoothing=SmoothingConfig(half_life=1e-6)))
    assert np.mean([(ours.mask == alone.mask).mean() for ours, alone in zip(smooth, predictions, strict=True)]) > 0.999


def test_a_network_of_stride_8_is_first_tried_at_16() -> None:
    torch.manual_seed(0)
    fine = Predictor(build_network(SMALL_NETWORKS[1], 3), LABELS, name="fine", device=CPU)
    levels = levels_of(fine)
    assert [level.predictor.output_stride for level in levels[:3]] == [8, 16, 16]
    assert [level.scale for level in levels[:3]] == [1, 1, 0.84]
    assert [level.cost for level in levels] == sorted((level.cost for level in levels), reverse=True)
    coarse = levels[1].predictor
    assert isinstance(coarse, Predictor)
    assert coarse.network.classifier.weight is fine.network.classifier.weight


@pytest.mark.parametrize("count", [3, 300])
def test_a_video_becomes_videos_of_masks_overlays_and_colours(count: int, video: Path, tmp_path: Path) -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(count)])
    predictor = Predictor(network_that_knows_colours(labels), labels, name="colours", device=CPU)
    source = VideoFile(video)
    files = recorded_files(tmp_path / "out", "square", ["mask", "overlay", "color"], video)
    with recorder(files, source, labels) as recording:
        for segmented in FrameSegmenter(predictor).all(source):
            assert recording.show(segmented)
    assert sorted(files_below(tmp_path / "out")) == ["square_color.mp4", "square_mask.mkv", "square_overlay.mp4"]
    predictions = list(predict_video(predictor, video))
    masks = images_of(files["mask"], "gray" if count == 3 else "gray16le")
    for prediction, mask in zip(predictions, masks, strict=True):
        np.testing.assert_array_equal(mask, prediction.mask)
    for shown in ("overlay", "color"):
        pictures = images_of(files[shown])
        expected = [prediction.overlay() if shown == "overlay" else prediction.color() for prediction in predictions]
        assert np.abs(np.stack(pictures).astype(int) - np.stack(expected)).mean() < 4
    assert all(times_of(path) == times_of(video) for path in files.values())


class FakeWindow:
    """A window whose user closes it after so many pictures."""

    def __init__(self, pictures: int) -> None:
        self.left, self.shown = pictures, []  # type: ignore[var-annotated]

    def show(self, image: NDArray[np.uint8]) -> bool:
        self.shown.append(image)
        return len(self.shown) < self.left

    def close(self) -> None:
        pass


def test_a_window_shows_overlays_and_its_end_is_the_end(predictor: Predictor) -> None:
    window = FakeWindow(3)
    recording = Recorder({}, window)
    frames = [FrameSegmenter(predictor)(frame) for frame in moving_square(5).frames]
    assert [recording.show(frame) for frame in frames[:3]] == [True, True, False]
    for shown, frame in zip(window.shown, frames, strict=False):
        np.testing.assert_array_equal(shown, frame.prediction.overlay())


def test_live_frames_keep_the_times_at_which_they_were_seen(predictor: Predictor, tmp_path: Path) -> None:
    class Live:
        size, timing = (96, 144), Timing(Fraction(1, 1000), Fraction(30))

    seen = [Fraction(time, 1000) for time in (3, 40, 47, 300)]
    images = moving_square(4).images
    files = recorded_files(tmp_path, "live", ["overlay"], None)
    with recorder(files, Live(), LABELS) as recording:
        for number, (image, time) in enumerate(zip(images, seen, strict=True)):
            recording.show(FrameSegmenter(predictor)(Frame(image, number, time, Fraction(1, 30))))
    assert times_of(files["overlay"]) == seen


def test_a_grey_video_keeps_its_frames_apart(predictor: Predictor, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", plain_frames(5, (33, 47)), pixel_format="yuv444p")
    predictions: list[SegmentedFrame] = list(FrameSegmenter(predictor).all(VideoFile(path)))
    assert [segmented.frame.number for segmented in predictions] == list(range(5))
    assert predictions[0].prediction.mask.shape == (33, 47)
