import pytest
import torch

from atrous.networks.backbones.mobilenet_v1 import MobileNetV1
from tests.networks.backbones.oracle import (
    answers_of,
    copy_in_order,
    parameters_with_classifier,
    random_image,
    relative_difference,
)


@torch.no_grad()
@pytest.mark.parametrize(("width", "size"), [(1.0, (64, 64)), (0.75, (67, 45)), (0.25, (33, 40))])
def test_features_agree_with_transformers(width: float, size: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    # With TensorFlow's padding, even sizes would be padded at the right and below only; the weights do not care much.
    config = transformers.MobileNetV1Config(depth_multiplier=width, tf_padding=False)
    theirs = transformers.MobileNetV1Model(config, add_pooling_layer=False)
    ours = MobileNetV1(width, 32)
    copy_in_order(theirs, ours)
    image = random_image(*size)
    ends = [theirs.layer[number] for number in (5, 9, 21, 25)]
    expected = answers_of(ends, lambda: theirs(image))
    for level, other in zip(ours(image), expected, strict=True):
        assert relative_difference(level, other) < 1e-4


@pytest.mark.parametrize(("width", "millions"), [(1.0, 4.2), (0.75, 2.6), (0.5, 1.3), (0.25, 0.5)])
def test_it_has_the_published_parameters_with_the_classifier_of_imagenet(width: float, millions: float) -> None:
    with torch.device("meta"):
        backbone = MobileNetV1(width, 16)
    assert parameters_with_classifier(backbone, backbone.channels[-1]) / 1e6 == pytest.approx(millions, abs=0.05)
