import numpy as np
import pytest
import torch
import torch.nn.functional as F

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.inference.predictor import Predictor
from atrous.inference.views import Answer, View, Views, mean_mask, mean_probabilities
from atrous.networks import build_network
from atrous.networks.layers import ResizeMode, resize_bilinear
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, one_sentence


def random_answers(seed: int, classes: int = 4) -> list[Answer]:
    random = np.random.default_rng(seed)
    sizes = ((5, 7), (5, 7), (9, 12), (1, 1))
    return [
        Answer((4 * random.standard_normal((classes, *size))).astype(np.float32), flipped=number % 2 == 1)
        for number, size in enumerate(sizes)
    ]


def averaged_by_torch(answers: list[Answer], size: tuple[int, int], resize: ResizeMode) -> torch.Tensor:
    """The papers' way, with everything at the picture's size: enlarge, make probabilities, flip back, average."""
    probabilities = [
        resize_bilinear(torch.from_numpy(answer.logits)[None], size, resize)[0].double().softmax(0)
        for answer in answers
    ]
    back = [p.flip(2) if answer.flipped else p for p, answer in zip(probabilities, answers, strict=True)]
    return torch.stack(back).mean(0)


@pytest.mark.parametrize("resize", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("size", [(33, 47), (130, 20), (1, 1), (5, 7)])
def test_probabilities_are_averaged_at_the_size_of_the_picture(size: tuple[int, int], resize: ResizeMode) -> None:
    answers = random_answers(seed=0)
    expected = averaged_by_torch(answers, size, resize)
    found = mean_probabilities(answers, size, resize)
    assert found.shape == (4, *size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)
    mask = mean_mask(answers, size, resize, np.uint8)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, found.argmax(0))


def predictor(views: Views) -> Predictor:
    torch.manual_seed(0)
    return Predictor(build_network(SMALL_NETWORKS[0], 3), LABELS, name="small", views=views)


IMAGE = np.random.default_rng(1).integers(0, 256, (45, 61, 3), np.uint8)


def test_a_predictor_averages_what_it_says_to_every_scale_and_its_mirror_image() -> None:
    views = Views(scales=(1.0, 0.5, 1.5), flip=True)
    found = predictor(views)
    plain = predictor(Views())
    picture = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float() / 255
    expected = torch.zeros(3, 45, 61)
    with torch.inference_mode():
        for height, width in ((45, 61), (22, 30), (68, 92)):
            seen = F.interpolate(picture, size=(height, width), mode="bilinear")
            for flipped in (False, True):
                logits = plain.network.low_resolution_logits(seen.flip(3) if flipped else seen)
                large = F.interpolate(logits, size=(45, 61), mode="bilinear")[0].softmax(0)
                expected += (large.flip(2) if flipped else large) / 6
    prediction = found(IMAGE)
    np.testing.assert_allclose(prediction.probabilities, expected.numpy(), atol=2e-5)
    np.testing.assert_array_equal(prediction.mask, prediction.probabilities.argmax(0))
    assert prediction.mask.shape == (45, 61)


def test_one_plain_view_is_the_plain_prediction() -> None:
    plain = predictor(Views())(IMAGE)
    assert [*Views()] == [View()]
    np.testing.assert_array_equal(predictor(Views(scales=(1,)))(IMAGE).probabilities, plain.probabilities)


def test_flipping_makes_the_answer_the_same_for_a_picture_and_its_mirror_image() -> None:
    twice = predictor(Views(flip=True))
    straight, mirrored = twice(IMAGE), twice(np.ascontiguousarray(IMAGE[:, ::-1]))
    np.testing.assert_allclose(straight.probabilities, mirrored.probabilities[:, :, ::-1], atol=2e-6)


def test_even_one_pixel_is_seen_at_every_scale() -> None:
    views = Views(scales=(0.1, 1, 8), flip=True)
    assert predictor(views)(IMAGE[:1, :1]).mask.shape == (1, 1)


@pytest.mark.parametrize("scales", [(), (1.0, 1.0), (0.0,), (-1.0,), (100.0,), (float("nan"),), (float("inf"),)])
def test_impossible_scales_are_one_sentence(scales: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Views, {"scales": scales}, "--scales")
    one_sentence(caught.value)
