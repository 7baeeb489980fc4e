from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError
from atrous.inference.predictor import Predictor
from atrous.inference.sliding_window import Interval, Strip, WindowLayout, intervals, segment_in_windows, segment_rows
from atrous.inference.window_memory import fitting_layout
from atrous.networks import DeepLabV1Config, MobileNetV2Config, build_network
from atrous.networks.describe import reach_of
from atrous.progress import Silent
from tests.tiny_data import LABELS, network_that_knows_colours, noise, one_sentence

CPU = torch.device("cpu")
LAYOUT = WindowLayout(side=192, margin=32)


@pytest.fixture(scope="module")
def local() -> Predictor:
    """A network without a mean of the whole picture, whose classes differ."""
    torch.manual_seed(0)
    network = build_network(DeepLabV1Config(backbone=MobileNetV2Config(width=0.25), hidden_channels=16), 3)
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    return Predictor(network, LABELS, name="local", device=CPU)


def smooth_noise(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    return np.kron(noise((size[0] // 16, size[1] // 16), seed), np.ones((16, 16, 1), np.uint8))


@pytest.mark.parametrize("length", [1, 191, 192, 193, 255, 256, 257, 500, 1000, 1024])
@pytest.mark.parametrize("layout", [LAYOUT, WindowLayout(128, 0), WindowLayout(256, 64, 64), WindowLayout(128, 16)])
def test_each_pixel_belongs_to_one_window_or_fades_between_two(length: int, layout: WindowLayout) -> None:
    windows = intervals(length, layout)
    owners = np.zeros(length, int)
    for window in windows:
        assert window.start % 64 == 0
        assert window.stop - window.start <= layout.side
        assert window.start <= window.enter.start <= window.enter.stop <= window.leave.start <= window.leave.stop
        assert window.leave.stop <= window.stop
        owners[window.alone] += 1
        owners[window.enter] += 1
        owners[window.leave] += 1
    for before, after in pairwise(windows):
        assert before.leave == after.enter
        assert owners[before.leave].tolist() == [2] * layout.fade
        assert after.enter.start - after.start >= layout.margin
        assert before.stop - before.leave.stop >= layout.margin
        owners[before.leave] = 1
    assert (windows[0].start, windows[-1].stop) == (0, length)
    assert (owners == 1).all()


def test_a_network_that_sees_single_pixels_gives_the_same_mask_in_windows() -> None:
    predictor = Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)
    for size in ((300, 500), (500, 100), (10, 700), (64, 64)):
        image = noise(size, 0)
        np.testing.assert_array_equal(segment_in_windows(predictor, image, LAYOUT), predictor(image).mask)


def test_where_the_margin_is_as_wide_as_the_network_sees_the_mask_is_that_of_the_whole_picture(
    local: Predictor,
) -> None:
    reach = max(reach_of(local.network).field) // 2 + 1
    layout = WindowLayout(side=1024, margin=reach)
    assert layout.step >= 64
    image = smooth_noise((768, 1344), 1)
    whole = local(image)
    mask = segment_in_windows(local, image, layout)
    first, second, *_ = np.sort(whole.probabilities, axis=0)[::-1]
    certain = first - second > 1e-4
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(mask[certain], whole.mask[certain])


def test_what_one_of_two_windows_says_fades_into_what_the_other_says(local: Predictor) -> None:
    image = smooth_noise((128, 320), 2)
    left, right = intervals(320, LAYOUT)[:2]
    answers = [local(np.ascontiguousarray(image[:, window.start : window.stop])) for window in (left, right)]
    rising = np.sin((np.arange(32) + 0.5) / 32 * np.pi / 2) ** 2
    seam = left.leave
    blended = (1 - rising) * answers[0].probabilities[:, :, left.within(seam)]
    blended += rising * answers[1].probabilities[:, :, right.within(seam)]
    expected = np.where(blended.max(axis=0) < 0.5, LABELS.ignore_index, blended.argmax(axis=0))
    hesitant = Predictor(local.network, LABELS, name="hesitant", device=CPU, abstain=0.5)
    mask = segment_in_windows(hesitant, image, LAYOUT)
    assert (mask[:, seam] == expected).mean() > 0.999


def test_rows_and_columns_fade_in_the_same_way(local: Predictor) -> None:
    """A weight for each window and pixel, and the sum over all windows: nothing is faster, and nothing simpler."""
    image = smooth_noise((320, 448), 3)
    total = np.zeros((3, 320, 448))
    for row in intervals(320, LAYOUT):
        for column in intervals(448, LAYOUT):
            window = np.ascontiguousarray(image[row.start : row.stop, column.start : column.stop])
            weights = np.zeros((320, 448))
            weights[:] = weight(row, 320)[:, None] * weight(column, 448)
            place = np.s_[:, row.start : row.stop, column.start : column.stop]
            total[place] += local(window).probabilities * weights[place[1:]]
    np.testing.assert_allclose(total.sum(axis=0), 1, atol=1e-5)
    first, second, _ = np.sort(total, axis=0)[::-1]
    certain = first - second > 1e-4
    np.testing.assert_array_equal(segment_in_windows(local, image, LAYOUT)[certain], total.argmax(axis=0)[certain])


def weight(window: Interval, length: int) -> NDArray[np.float64]:
    weights = np.zeros(length)
    weights[window.alone] = 1
    for part, sign in ((window.enter, 1), (window.leave, -1)):
        count = part.stop - part.start
        weights[part] = np.sin((np.arange(count) + 0.5) / max(count, 1) * np.pi / 2)[::sign] ** 2
    return weights


def test_rows_that_are_known_are_not_yielded_and_the_others_are_the_same(local: Predictor) -> None:
    image = smooth_noise((640, 128), 4)

    def read(start: int, stop: int) -> Strip:
        return Strip(image[start:stop], np.ones((stop - start, 128), np.bool_))

    whole = np.concatenate(list(segment_rows(local, read, (640, 128), LAYOUT)))
    assert whole.shape == (640, 128)
    for done in (0, 1, 64, 200, 400, 639):
        rest = np.concatenate(list(segment_rows(local, read, (640, 128), LAYOUT, done)))
        np.testing.assert_array_equal(rest, whole[done:])


def test_where_nothing_was_recorded_the_network_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)
    image, valid = noise((400, 400), 5), np.zeros((400, 400), np.bool_)
    valid[30:90, 300:350] = True
    expected = np.where(valid, predictor(image).mask, LABELS.ignore_index)
    asked = []
    logits = predictor.network.low_resolution_logits

    def watched(images: torch.Tensor) -> torch.Tensor:
        asked.append(images.shape)
        answer: torch.Tensor = logits(images)
        return answer

    monkeypatch.setattr(predictor.network, "low_resolution_logits", watched)
    read = lambda start, stop: Strip(image[start:stop], valid[start:stop])  # noqa: E731
    mask = np.concatenate(list(segment_rows(predictor, read, (400, 400), LAYOUT)))
    np.testing.assert_array_equal(mask, expected)
    assert 1 <= len(asked) <= 2


def test_a_dense_crf_refines_each_window(local: Predictor) -> None:
    crf = DenseCRFConfig(iterations=2, position_std_appearance=8, color_std=10)
    refining = Predictor(local.network, LABELS, name="refining", device=CPU, crf=crf)
    image = smooth_noise((64, 128), 6)
    np.testing.assert_array_equal(segment_in_windows(refining, image, LAYOUT), refining(image).mask)


def test_windows_grow_with_the_memory_and_too_little_is_one_sentence(local: Predictor) -> None:
    sides = [fitting_layout(local, 20_000, 8, memory, Silent()).side for memory in (4, 16)]
    assert sides[0] <= sides[1] <= 2048
    with pytest.raises(ConfigError) as caught:
        fitting_layout(local, 20_000, 8, 0.1, Silent())
    assert "--memory" in one_sentence(caught.value)
