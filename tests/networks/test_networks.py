"""What holds for every network of the family."""

from typing import Any

import pytest
import torch
from torch import Tensor

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks import DeepLabV3PlusConfig, NetworkConfig, ResNetConfig, SegmentationNetwork, build_network
from tests.small import SMALL_NETWORKS


def kinds(config: NetworkConfig) -> str:
    return f"{config.kind}-{config.backbone.kind}"


every_network = pytest.mark.parametrize("config", SMALL_NETWORKS, ids=kinds)


def build(config: NetworkConfig, num_classes: int = 5) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(config, num_classes)


def random_image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@every_network
@torch.no_grad()
def test_logits_have_the_size_of_the_image_even_when_it_is_odd(config: NetworkConfig) -> None:
    logits = build(config).eval()(random_image(1, 3, 65, 97))
    assert logits.shape == (1, 5, 65, 97)


@every_network
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (17, 16)])
def test_one_image_of_any_size_trains_every_parameter(config: NetworkConfig, size: tuple[int, int]) -> None:
    network = build(config).train()
    logits = network(random_image(1, 3, *size))
    assert logits.shape == (1, 5, *size)
    logits.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@every_network
@torch.no_grad()
def test_low_resolution_logits_are_the_logits_before_the_resize(config: NetworkConfig) -> None:
    network = build(config).eval()
    image = random_image(2, 3, 33, 47)
    low = network.low_resolution_logits(image)
    assert low.shape == (2, 5, 9, 12)
    resized = torch.nn.functional.interpolate(low, size=(33, 47), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network(image), resized)


@every_network
@torch.no_grad()
def test_an_image_is_segmented_alike_alone_and_in_a_batch(config: NetworkConfig) -> None:
    network = build(config).eval()
    images = random_image(3, 3, 32, 32)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))


@every_network
@torch.no_grad()
def test_the_output_stride_changes_no_parameter(config: NetworkConfig) -> None:
    for output_stride in (8, 16, 32):
        other = build(config.model_copy(update={"output_stride": output_stride}))
        other.load_state_dict(build(config).state_dict())
        assert other(random_image(2, 3, 33, 33)).shape == (2, 5, 33, 33)


@every_network
def test_bfloat16_training_stays_channels_last_until_the_float32_logits(config: NetworkConfig) -> None:
    network = build(config).to(memory_format=torch.channels_last)
    strayed = []
    for name, module in network.named_modules():

        def note(_module: Any, _inputs: Any, y: Any, name: str = name) -> None:
            if name and isinstance(y, Tensor) and not y.is_contiguous(memory_format=torch.channels_last):
                strayed.append(name)

        module.register_forward_hook(note)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(random_image(2, 3, 33, 33).contiguous(memory_format=torch.channels_last))
    assert not strayed
    assert logits.dtype == torch.float32
    assert logits.is_contiguous()
    logits.sum().backward()


@every_network
@torch.no_grad()
def test_exported_networks_take_other_sizes(config: NetworkConfig) -> None:
    network = build(config).eval()
    auto = torch.export.Dim.AUTO
    program = torch.export.export(network, (random_image(2, 3, 33, 49),), dynamic_shapes=({0: auto, 2: auto, 3: auto},))
    image = random_image(1, 3, 40, 35)
    torch.testing.assert_close(program.module()(image), network(image))


@every_network
def test_a_network_can_be_built_without_memory_and_filled_later(config: NetworkConfig) -> None:
    with torch.device("meta"):
        empty = build_network(config, 5)
    network = build(config).eval()
    empty.load_state_dict(network.state_dict(), assign=True)
    image = random_image(1, 3, 20, 20)
    torch.testing.assert_close(empty.eval()(image), network(image))


@torch.no_grad()
def test_initial_convolutions_keep_the_variance_of_gradients_and_the_classifier_is_undecided() -> None:
    network = build(DeepLabV3PlusConfig(backbone=ResNetConfig(depth=18)), num_classes=50)

    def deviation(name: str) -> float:
        return float(network.get_parameter(f"{name}.weight").std())

    full = deviation("backbone.stages.3.0.layers.1.convolution")
    depthwise = deviation("context.pyramid.0.depthwise.convolution")
    assert full == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert depthwise == pytest.approx((2 / 9) ** 0.5, rel=0.03)
    assert deviation("classifier") == pytest.approx(0.01, rel=0.03)
    assert not network.get_parameter("classifier.bias").any()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"backbone": {"kind": "xeption"}}, ".*no kind `xeption`; did you mean `xception`"),
        ({"backbone": {"kind": "resnet", "depth": 20}}, ".*depth`: input should be 18, 34, 50, 101 or 152"),
        ({"backbone": {"kind": "mobilenet_v2", "width": 0}}, ".*width`: input should be greater than 0"),
        ({"backbone": {"kind": "mobilenet_v2", "depth": 18}}, ".*no key `depth`.*width"),
        ({"output_stride": 4}, ".*`output_stride`: input should be 8, 16 or 32"),
        ({"rates": [6, 0]}, ".*`rates.1`: input should be greater than or equal to 1"),
        ({"rates": [3, 6], "output_stride": 32}, ".*halved, but 3 cannot be: give even rates such as 6, 12, 18"),
        ({"decoder_channels": 0}, ".*`decoder_channels`: input should be greater than or equal to 1"),
        ({"dropout": 1.0}, ".*`dropout`: input should be less than 1"),
        ({"pixels": {"std": [0.2, 0, 0.2]}}, ".*`pixels.std.1`: input should be greater than 0"),
        ({"pixels": {"order": "grb"}}, ".*`pixels.order`: input should be 'rgb' or 'bgr'"),
    ],
)
def test_an_impossible_choice_is_answered_with_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe\.yaml: {sentence}[^\n]*$"):
        parse(NetworkConfig, data, "recipe.yaml")


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes is 0, but a network needs 1 class or more"):
        build_network(DeepLabV3PlusConfig(), num_classes=0)
