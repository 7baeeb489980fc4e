"""What holds for every network of the family."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks import (
    BatchNormConfig,
    DeepLabV2Config,
    DeepLabV3PlusConfig,
    NetworkConfig,
    PixelScaleConfig,
    ResNetConfig,
    SegmentationNetwork,
    build_network,
)
from tests.networks.randomness import randomize
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
    outputs = network.training_logits(random_image(1, 3, *size))
    assert network(random_image(1, 3, *size)).shape == (1, 5, *size)
    sum(logits.square().sum() for logits, _ in outputs).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@every_network
@torch.no_grad()
def test_low_resolution_logits_are_the_logits_before_the_resize(config: NetworkConfig) -> None:
    network = build(config).eval()
    image = random_image(2, 3, 33, 47)
    low = network.low_resolution_logits(image)
    assert low.shape[-2:] in [(9, 12), (5, 6), (3, 3), (1, 1)]
    resized = F.interpolate(low, size=(33, 47), mode="bilinear", align_corners=config.resize == "align_corners")
    torch.testing.assert_close(network(image), resized)


@every_network
@torch.no_grad()
def test_an_image_is_segmented_alike_alone_and_in_a_batch(config: NetworkConfig) -> None:
    network = build(config).eval()
    images = random_image(3, 3, 32, 32)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))


@every_network
@torch.no_grad()
def test_another_output_stride_shares_the_parameters_and_scales_the_rates(config: NetworkConfig) -> None:
    network = build(config).eval()
    image = random_image(2, 3, 33, 33)
    for output_stride in (8, 16):
        other = network.with_output_stride(output_stride)
        assert other.output_stride == output_stride
        assert not other.training
        mine, others = network.state_dict(keep_vars=True), other.state_dict(keep_vars=True)
        assert mine.keys() == others.keys()
        assert all(mine[name] is others[name] for name in mine)
        rebuilt = build(config.model_copy(update={"output_stride": output_stride})).eval()
        rebuilt.load_state_dict(network.state_dict())
        torch.testing.assert_close(other(image), rebuilt(image), rtol=0, atol=0)


def test_what_trains_a_network_trains_it_at_every_output_stride() -> None:
    network = build(SMALL_NETWORKS[0])
    other = network.with_output_stride(8)
    image = random_image(2, 3, 17, 17)
    before = other.eval()(image)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()(image).square().sum().backward()
    optimizer.step()
    assert not torch.equal(other(image), before)
    torch.testing.assert_close(other(image), network.with_output_stride(8).eval()(image))


@pytest.mark.parametrize(
    ("config", "output_stride", "sentence"),
    [
        (SMALL_NETWORKS[0], 12, r"with_output_stride\(12\): `output_stride`: input should be 4, 8, 16 or 32"),
        (
            DeepLabV2Config(),
            32,
            "divided by 4, but 6, 18 cannot be: give rates that can, or take an output stride of 8",
        ),
        (SMALL_NETWORKS[5], 32, "divided by 2, but 1 cannot be"),
    ],
)
def test_an_impossible_output_stride_is_refused_in_one_sentence(
    config: NetworkConfig, output_stride: int, sentence: str
) -> None:
    with torch.device("meta"):
        network = build_network(config, 5)
    with pytest.raises(ConfigError, match=sentence):
        network.with_output_stride(output_stride)


@every_network
@torch.no_grad()
def test_mirrored_kernels_see_the_mirrored_image(config: NetworkConfig) -> None:
    network = build(config).eval()
    randomize(network)
    image = random_image(1, 3, 33, 65)  # 65 stays odd through all strides, so that they sample the same places
    expected = network(image).flip(-1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.copy_(module.weight.flip(-1))
    logits = network(image.flip(-1))
    assert float((logits - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@every_network
@torch.no_grad()
def test_half_precision_answers_almost_alike(config: NetworkConfig) -> None:
    network = build(config).eval()
    image = random_image(1, 3, 33, 47)
    expected = network(image)
    half = network.bfloat16().to(memory_format=torch.channels_last)
    logits = half(image.bfloat16().contiguous(memory_format=torch.channels_last))
    assert logits.dtype == torch.float32
    assert float((logits - expected).norm() / expected.norm()) < 0.1


def test_a_frozen_normalization_stays_so_in_training_and_at_every_output_stride() -> None:
    config = SMALL_NETWORKS[0].model_copy(update={"batch_norm": BatchNormConfig(frozen=True, epsilon=1e-3)})
    network = build(config).train()
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    for other in (network, network.with_output_stride(8)):
        other(random_image(2, 3, 33, 33))
        norms = [module for module in other.modules() if isinstance(module, nn.BatchNorm2d)]
        assert {norm.eps for norm in norms} == {1e-3}
    torch.testing.assert_close(dict(network.named_buffers()), before, rtol=0, atol=0)


@torch.no_grad()
def test_a_network_takes_as_many_bands_as_its_backbone_and_its_pixel_scale() -> None:
    config = DeepLabV3PlusConfig(
        backbone=ResNetConfig(depth=18, in_channels=5),
        pixels=PixelScaleConfig(mean=(0.5,) * 5, std=(0.25,) * 5),
        context_channels=8,
    )
    assert build(config).eval()(random_image(1, 5, 33, 33)).shape == (1, 5, 33, 33)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@torch.no_grad()
def test_a_compiled_network_answers_alike(backend: str) -> None:
    network = build(SMALL_NETWORKS[6]).eval()
    image = random_image(1, 3, 33, 47)
    compiled = torch.compile(network, backend=backend, fullgraph=True)
    torch.testing.assert_close(compiled(image), network(image), rtol=1e-3, atol=1e-5)


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


@pytest.mark.parametrize(
    "config",
    [*SMALL_NETWORKS[:2], *(pytest.param(config, marks=pytest.mark.slow) for config in SMALL_NETWORKS[2:])],
    ids=[kinds(config) for config in SMALL_NETWORKS],
)
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


V3, V3PLUS = {"kind": "deeplab_v3"}, {"kind": "deeplab_v3plus"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"kind": "deeplab_v3pluss"}, "`kind`: there is no kind `deeplab_v3pluss`; did you mean `deeplab_v3plus`"),
        ({**V3PLUS, "backbone": {"kind": "xeption"}}, ".*no kind `xeption`; did you mean `xception`"),
        (
            {**V3PLUS, "backbone": {"kind": "resnet", "depth": 20}},
            ".*depth`: input should be 18, 34, 50, 101 or 152",
        ),
        ({**V3PLUS, "backbone": {"kind": "mobilenet_v2", "width": 0}}, ".*width`: input should be greater than 0"),
        ({**V3PLUS, "backbone": {"kind": "mobilenet_v2", "depth": 18}}, ".*no key `depth`.*width"),
        ({**V3PLUS, "output_stride": 5}, ".*`output_stride`: input should be 4, 8, 16 or 32"),
        ({**V3PLUS, "rates": [6, 0]}, ".*`rates.1`: input should be greater than or equal to 1"),
        ({**V3PLUS, "rates": [3, 6], "output_stride": 32}, ".*divided by 2, but 3 cannot be: give rates that can"),
        ({**V3PLUS, "decoder_channels": 0}, ".*`decoder_channels`: input should be greater than or equal to 1"),
        ({**V3PLUS, "dropout": 1.0}, ".*`dropout`: input should be less than 1"),
        ({**V3PLUS, "pixels": {"std": [0.2, 0, 0.2]}}, ".*`pixels.std.1`: input should be greater than 0"),
        ({**V3PLUS, "pixels": {"order": "grb"}}, ".*`pixels.order`: input should be 'rgb' or 'bgr'"),
        ({**V3PLUS, "pixels": {"mean": [0.5]}}, ".*`mean` has 1 bands and `std` has 3: give one number per band"),
        (
            {**V3PLUS, "pixels": {"mean": [0.5], "std": [0.5], "order": "bgr"}},
            ".*`order` bgr is for 3 bands, but `mean` has 1",
        ),
        ({**V3PLUS, "pixels": {"mean": [0.5], "std": [0.5]}}, "the backbone takes 3 bands, but `pixels` scales 1"),
        ({**V3PLUS, "backbone": {"kind": "drn"}}, ".*drn has no output stride 16: take 4 or 8"),
        ({**V3PLUS, "batch_norm": {"momentum": 0.9997}}, "`batch_norm.momentum`: .* write 1 - decay = 0.0003"),
        ({**V3PLUS, "low_level_strides": [2]}, "the backbone has no level of stride 2; .* have 4, 8, 16"),
        ({**V3PLUS, "low_level_strides": [4, 8]}, r"`low_level_strides` \[4, 8\] do not go from coarse to fine"),
        ({**V3PLUS, "low_level_channels": [8, 8]}, "`low_level_channels` are 2 and `low_level_strides` 1"),
        ({**V3, "auxiliary": {"levels_before_deepest": 4}}, "`auxiliary.levels_before_deepest` is 4, but .* 1 to 3"),
        ({**V3, "cell": []}, "the cell has no branch"),
        ({**V3, "cell": [{"input": 0}]}, "branch 0 of the cell has input 0, .*; its input can be -1 for the features"),
        (
            {**V3, "cell": [{}, {"input": 2}, {}]},
            "branch 1 of the cell has input 2, which comes no earlier than itself; .* or a branch from 0 to 0",
        ),
        ({**V3, "cell": [{}], "rates": [6]}, "`cell` takes the place of the ASPP, so that rates says nothing"),
        (
            {**V3, "cell": [{"target_size": [2, 2]}]},
            "`cell.0`: a branch with op conv has no target_size; it has kernel",
        ),
        ({**V3, "cell": [{"op": "max"}]}, "`cell.0.op`: input should be 'conv' or 'pyramid_pooling'"),
        ({"kind": "deeplab_v2", "rates": []}, "`rates`: tuple should have at least 1 item"),
        ({"kind": "deeplab_v2", "scales": [0.5, 1]}, "`scales` begin with 0.5, but the first is the image itself"),
        ({"kind": "deeplab_v1", "output_stride": 32, "rate": 6}, ".*divided by 4, but 6 cannot be"),
        ({"kind": "lite_deeplab", "low_level_stride": 2}, "the backbone has no level of stride 2; .* 4, 8, 16"),
    ],
)
def test_an_impossible_choice_is_answered_with_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe\.yaml: {sentence}[^\n]*$"):
        parse(NetworkConfig, data, "recipe.yaml")


def test_a_network_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes is 0, but a network needs 1 class or more"):
        build_network(DeepLabV3PlusConfig(), num_classes=0)
