import pytest
import torch
import torch.nn.functional as F
from torch import nn

from atrous.networks import DeepLabV1Config, ResNetConfig, build_network, deviations
from tests.networks.oracles import number_of_parameters, random_image
from tests.networks.randomness import randomize


@torch.no_grad()
def test_the_large_field_of_view_is_its_paper_step_by_step() -> None:
    network = build_network(DeepLabV1Config(backbone=ResNetConfig(depth=18), hidden_channels=24), 5).eval()
    randomize(network)
    image = random_image(33, 49)
    tensors = network.state_dict()

    def layer(name: str, x: torch.Tensor, rate: int = 0) -> torch.Tensor:
        bias, weight = tensors[f"{name}.bias"], tensors[f"{name}.weight"]
        return F.conv2d(x, weight, bias, padding=rate, dilation=max(rate, 1))

    x = F.avg_pool2d(network.backbone(network.pixels(image))[-1], 3, stride=1, padding=1)
    fc6 = layer("context.branches.0.fc6", x, rate=12).clamp(min=0)
    fc7 = layer("context.branches.0.fc7", fc6).clamp(min=0)
    fc8 = layer("classifier", fc7)
    torch.testing.assert_close(network.low_resolution_logits(image), fc8, rtol=1e-4, atol=1e-4)


def test_on_a_resnet_one_3x3_classifier_at_rate_12_suffices() -> None:
    config = DeepLabV1Config(backbone=ResNetConfig(depth=101), hidden_channels=None)
    with torch.device("meta"):
        network = build_network(config, 21)
    assert isinstance(network.classifier, nn.Conv2d)
    assert (network.classifier.kernel_size, network.classifier.dilation) == ((3, 3), (12, 12))
    assert network.output_stride == 8
    assert any("no hidden channels" in sentence for sentence in deviations(config))


@pytest.mark.parametrize(("loss_size", "shape"), [("logits", (5, 7)), ("image", (33, 49))])
def test_the_loss_compares_at_the_size_that_was_chosen(loss_size: str, shape: tuple[int, int]) -> None:
    config = DeepLabV1Config.model_validate(
        {"backbone": {"kind": "resnet", "depth": 18}, "hidden_channels": 8, "loss_size": loss_size}
    )
    (answer,) = build_network(config, 5).training_logits(random_image(33, 49))
    assert (answer.logits.shape[-2:], answer.weight) == (shape, 1.0)


@pytest.mark.parametrize(
    ("choices", "millions"),
    [
        ({}, 20.5),
        ({"kernel_size": 7, "rate": 4, "hidden_channels": 4096}, 134.3),
    ],
)
def test_it_has_the_parameters_of_table_2_of_the_paper(choices: dict[str, int], millions: float) -> None:
    with torch.device("meta"):
        network = build_network(DeepLabV1Config.model_validate(choices), 21)
    assert number_of_parameters(network) / 1e6 == pytest.approx(millions, abs=0.1)


def test_the_defaults_are_the_paper() -> None:
    assert deviations(DeepLabV1Config()) == []
