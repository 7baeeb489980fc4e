import torch
import torch.nn.functional as F
from torch import nn

from atrous.networks import LiteDeepLabConfig, MobileNetV2Config, build_network
from tests.networks.oracles import random_image
from tests.networks.randomness import randomize


@torch.no_grad()
def test_its_classifier_is_the_sum_of_one_for_the_context_and_one_for_the_low_level() -> None:
    network = build_network(LiteDeepLabConfig(backbone=MobileNetV2Config(width=0.25)), 5).eval()
    randomize(network)
    levels = network.backbone(network.pixels(random_image(33, 49)))
    context = network.context(levels[-1])
    assert isinstance(network.classifier, nn.Conv2d)
    high, low = network.classifier.weight[:, :128], network.classifier.weight[:, 128:]
    enlarged = F.interpolate(context, size=(5, 7), mode="bilinear", align_corners=False)
    expected = F.conv2d(enlarged, high, network.classifier.bias) + F.conv2d(levels[1], low)
    torch.testing.assert_close(network.low_resolution_logits(random_image(33, 49)), expected, rtol=1e-4, atol=1e-4)
