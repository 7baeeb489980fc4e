import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks import DeepLabV2Config, ResNetConfig, SegmentationNetwork, build_network, deviations
from tests.networks.oracles import number_of_parameters, random_image, relative_difference
from tests.networks.randomness import randomize

SMALL = DeepLabV2Config(backbone=ResNetConfig(depth=18))


def network_of(config: DeepLabV2Config) -> SegmentationNetwork:
    network = build_network(config, 5).eval()
    randomize(network)
    return network


@torch.no_grad()
def test_logits_are_the_sum_of_four_classifiers() -> None:
    network = network_of(SMALL.model_copy(update={"scales": (1.0,)}))
    image = random_image(33, 49)
    x = network.backbone(network.pixels(image))[-1]
    tensors = network.state_dict()
    expected = sum(
        F.conv2d(
            x,
            tensors[f"classifier.branches.{number}.weight"],
            tensors[f"classifier.branches.{number}.bias"],
            padding=rate,
            dilation=rate,
        )
        for number, rate in enumerate((6, 12, 18, 24))
    )
    torch.testing.assert_close(network.low_resolution_logits(image), expected, rtol=1e-4, atol=1e-4)


def resized(x: Tensor, *size: int) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


@torch.no_grad()
def test_the_answer_is_the_largest_logit_of_three_scales_and_the_loss_hears_all_four() -> None:
    network = network_of(SMALL)
    single = build_network(SMALL.model_copy(update={"scales": (1.0,)}), 5).eval()
    single.load_state_dict(network.state_dict())
    image = random_image(65, 33)
    one, three_quarters, half = (
        single.low_resolution_logits(scaled) for scaled in (image, resized(image, 49, 25), resized(image, 33, 17))
    )
    expected = torch.stack([one, resized(three_quarters, 9, 5), resized(half, 9, 5)]).amax(dim=0)
    assert relative_difference(network.low_resolution_logits(image), expected) < 1e-4
    assert relative_difference(network(image), resized(expected, 65, 33)) < 1e-4
    answers = network.training_logits(image)
    assert [answer.weight for answer in answers] == [1.0] * 4
    for answer, other in zip(answers, (expected, one, three_quarters, half), strict=True):
        assert relative_difference(answer.logits, other) < 1e-4


@torch.no_grad()
def test_with_hidden_layers_each_rate_has_its_own_classifier_and_their_logits_are_added() -> None:
    """Figure 7 of the paper, written as it is drawn: the classifiers of the branches are parts of the one we have."""
    network = network_of(SMALL.model_copy(update={"scales": (1.0,), "hidden_channels": 6}))
    image = random_image(33, 33)
    x = network.backbone(network.pixels(image))[-1]
    assert isinstance(network.classifier, nn.Conv2d)
    assert network.classifier.bias is not None
    branches = network.context.get_submodule("branches").children()
    expected = network.classifier.bias.reshape(1, -1, 1, 1) + sum(
        F.conv2d(branch(x), network.classifier.weight[:, 6 * number : 6 * number + 6])
        for number, branch in enumerate(branches)
    )
    torch.testing.assert_close(network.low_resolution_logits(image), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("rates", "parameters"),
    [((6, 12, 18, 24), 42_500_160 + 4 * 21 * (9 * 2048 + 1)), ((12,), 42_500_160 + 21 * (9 * 2048 + 1))],
)
def test_it_has_the_parameters_of_resnet_101_and_its_classifiers(rates: tuple[int, ...], parameters: int) -> None:
    """42,500,160: torchvision's ResNet-101 without its last layer."""
    with torch.device("meta"):
        network = build_network(DeepLabV2Config(rates=rates), 21)
    assert number_of_parameters(network) == parameters


def test_the_defaults_are_the_paper_and_another_layout_is_named() -> None:
    assert deviations(DeepLabV2Config()) == []
    (sentence,) = deviations(DeepLabV2Config(backbone=ResNetConfig(depth=101)))
    assert "the torchvision stem and strides in the 3x3 convolution" in sentence
