import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.inference.label_map import label_map
from atrous.inference.predictor import Predictor
from atrous.inference.smoothing import SmoothingConfig, TemporalSmoothing, moved
from atrous.inference.video import FrameSegmenter
from atrous.labels import Mask
from tests.inference.videos import Scene, flicker, iou, moving_square
from tests.tiny_data import LABELS, network_that_knows_colours, noise

CPU = torch.device("cpu")
PLAIN = SmoothingConfig(follow_motion=False, tolerance=1e6)
"""Nothing but the average."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)


def masks_of(predictor: Predictor, scene: Scene, smoothing: SmoothingConfig | None) -> list[Mask]:
    segmenter = FrameSegmenter(predictor, smoothing=smoothing)
    return [segmenter(frame).prediction.mask for frame in scene.frames]


@pytest.mark.parametrize("config", [SmoothingConfig(), SmoothingConfig(follow_motion=False)], ids=["moved", "in place"])
@pytest.mark.parametrize("speed", [0, 1, 3])
def test_flicker_falls_and_iou_does_not(predictor: Predictor, speed: int, config: SmoothingConfig) -> None:
    scene = moving_square(24, noise=40, speed=speed)
    alone, smooth = masks_of(predictor, scene, None), masks_of(predictor, scene, config)
    assert flicker(smooth, scene.truths) < 0.5 * flicker(alone, scene.truths)
    assert iou(smooth, scene.truths) >= iou(alone, scene.truths)


def test_without_noise_nothing_changes(predictor: Predictor) -> None:
    scene = moving_square(12)
    for mask, truth in zip(masks_of(predictor, scene, SmoothingConfig()), scene.truths, strict=True):
        assert (mask != truth).mean() < 0.005  # where the square has just been, for a moment


def test_a_cut_is_a_new_beginning(predictor: Predictor) -> None:
    first, second = moving_square(4), moving_square(4)
    inverted = [255 - image for image in second.images]  # on white, nothing of the past is true
    scene = Scene(first.images + inverted, first.truths + second.truths)
    masks = masks_of(predictor, scene, PLAIN)
    alone = masks_of(predictor, scene, None)
    np.testing.assert_array_equal(masks[4], alone[4])


def test_the_first_frame_is_as_without_smoothing_to_the_bit() -> None:
    logits = 20 * torch.randn(7, 9, 13, generator=torch.Generator().manual_seed(0))
    smooth = TemporalSmoothing(PLAIN)(noise((36, 52), 0), 0.0, logits)
    for size in [(9, 13), (36, 52), (35, 50)]:
        expected = label_map(logits.numpy(), size, np.uint8)
        np.testing.assert_array_equal(label_map(smooth.numpy(), size, np.uint8), expected)


def test_the_average_is_that_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    image, times = noise((36, 52), 0), [0.0, 0.04, 0.08, 0.2]
    smoothing = TemporalSmoothing(PLAIN)
    expected = None
    for number, time in enumerate(times):
        logits = torch.randn(5, 9, 13, generator=generator)
        present = logits.softmax(dim=0)
        if expected is None:
            expected = present
        else:
            weight = 0.5 ** ((time - times[number - 1]) / PLAIN.half_life)
            expected = weight * expected + (1 - weight) * present
        torch.testing.assert_close(smoothing(image, time, logits).softmax(dim=0), expected)


def test_the_past_is_forgotten_where_the_picture_changed() -> None:
    smoothing = TemporalSmoothing(SmoothingConfig(follow_motion=False))
    before, after = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    after[:, 40:] = 60
    smoothing(before, 0.0, torch.tensor([5.0, 0.0])[:, None, None].expand(2, 16, 16))
    now = smoothing(after, 0.001, torch.tensor([0.0, 5.0])[:, None, None].expand(2, 16, 16))
    labels = now.argmax(dim=0)
    assert labels[:, :8].eq(0).all()
    assert labels[:, 11:].eq(1).all()


def test_logits_of_another_size_go_on_from_the_same_past() -> None:
    smoothing = TemporalSmoothing(PLAIN)
    image = noise((36, 52), 0)
    smoothing(image, 0.0, torch.zeros(3, 9, 13))
    assert smoothing(image, 0.04, torch.zeros(3, 5, 7)).shape == (3, 5, 7)


def flow_of(right: float, down: float, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.broadcast_to(np.array([right, down], np.float32), (*size, 2)).copy()


def test_values_are_taken_from_where_they_were() -> None:
    values = torch.arange(5 * 8, dtype=torch.float32).reshape(1, 1, 5, 8)
    torch.testing.assert_close(moved(values, flow_of(0, 0, (5, 8))), values)
    torch.testing.assert_close(moved(values, flow_of(2, 1, (5, 8)))[..., :4, :6], values[..., 1:, 2:])
    torch.testing.assert_close(moved(values, flow_of(4, 2, (10, 16)))[..., :4, :6], values[..., 1:, 2:])
