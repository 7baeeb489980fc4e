"""What holds for every backbone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks.backbones import (
    BackboneConfig,
    DRNConfig,
    MobileNetV3Config,
    ResNetConfig,
    VGG16Config,
    XceptionConfig,
    build_backbone,
    require_output_stride,
)
from tests.networks.backbones.built import built, label
from tests.small import SMALL_BACKBONES

every_backbone = pytest.mark.parametrize("config", SMALL_BACKBONES, ids=label)
light_backbones = pytest.mark.parametrize(
    "config", [VGG16Config(), ResNetConfig(depth=18), MobileNetV3Config(size="small", width=0.5)], ids=label
)


def random_image(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def output_strides(config: BackboneConfig) -> tuple[int, ...]:
    return (4, 8) if isinstance(config, DRNConfig) else (4, 8, 16, 32)


def pools_as_caffe(config: BackboneConfig) -> bool:
    return "caffe" in (getattr(config, "pools", ""), getattr(config, "stem", ""))


@every_backbone
@torch.no_grad()
def test_levels_are_as_stated_and_the_output_stride_changes_no_parameter(config: BackboneConfig) -> None:
    sizes = [(33, 65), (1, 1), (1, 33)]
    if not pools_as_caffe(config):  # those make an even size half of it and one
        sizes += [(50, 31), (2, 64)]
    shapes = []
    for output_stride in output_strides(config):
        with torch.device("meta"):
            backbone = build_backbone(config, output_stride).eval()
        shapes.append({name: tensor.shape for name, tensor in backbone.state_dict().items()})
        deepest_but_one = 8 if config.kind == "drn" else 16
        strides = tuple(min(stride, output_stride) for stride in (4, 8, deepest_but_one, output_stride))
        assert backbone.strides == strides
        for height, width in sizes:
            levels = backbone(torch.empty(1, 3, height, width, device="meta"))
            for level, channels, stride in zip(levels, backbone.channels, strides, strict=True):
                assert level.shape == (1, channels, -(-height // stride), -(-width // stride))
    assert all(other == shapes[0] for other in shapes)


@every_backbone
@pytest.mark.parametrize("size", [(33, 33), (1, 1)])
def test_gradients_reach_every_parameter(config: BackboneConfig, size: tuple[int, int]) -> None:
    backbone = built(config, 8).train()
    levels = backbone(random_image(1, 3, *size))
    loss: Any = sum(level.square().mean() for level in levels)
    loss.backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@every_backbone
@torch.no_grad()
def test_a_mirrored_backbone_sees_a_mirrored_picture_mirrored(config: BackboneConfig) -> None:
    if getattr(config, "pools", "") == "torchvision":
        pytest.skip("a window of two pixels has no middle")
    backbone, mirrored = built(config, 8), built(config, 8)
    for module in mirrored.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.flip(3)
    image = random_image(1, 3, 33, 65)  # at sizes 32 k + 1 all strides meet both borders
    for level, other in zip(backbone(image), mirrored(image.flip(3)), strict=True):
        torch.testing.assert_close(other.flip(3), level, rtol=1e-3, atol=1e-4 * float(level.abs().max()))


@every_backbone
def test_mixed_precision_training_stays_channels_last(config: BackboneConfig) -> None:
    backbone = built(config, 8).train().to(memory_format=torch.channels_last)
    strayed = []
    for name, module in backbone.named_modules():

        def note(_module: Any, _inputs: Any, y: Any, name: str = name) -> None:
            if isinstance(y, Tensor) and not y.is_contiguous(memory_format=torch.channels_last):
                strayed.append(name)

        module.register_forward_hook(note)
    with torch.autocast("cpu", torch.bfloat16):
        levels = backbone(random_image(2, 3, 33, 33).contiguous(memory_format=torch.channels_last))
    assert not strayed
    assert all(level.dtype == torch.bfloat16 and level.isfinite().all() for level in levels)


@light_backbones
@torch.no_grad()
def test_exported_backbones_take_other_sizes(config: BackboneConfig) -> None:
    backbone = built(config, 8)
    auto = torch.export.Dim.AUTO
    program = torch.export.export(
        backbone, (random_image(1, 3, 33, 49),), dynamic_shapes=({0: None, 2: auto, 3: auto},)
    )
    image = random_image(1, 3, 40, 35)
    torch.testing.assert_close(program.module()(image), backbone(image), rtol=1e-4, atol=1e-4)


@every_backbone
@torch.no_grad()
def test_a_picture_may_have_any_number_of_bands(config: BackboneConfig) -> None:
    with torch.device("meta"):
        backbone = build_backbone(config.model_copy(update={"in_channels": 5}), 8)
        assert len(backbone(torch.empty(2, 5, 9, 9))) == 4


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"kind": "resnet", "depth": 18, "stride_in": "1x1"}, "the blocks of depth 18 have no 1x1 .* take `stride_in`"),
        ({"kind": "resnet", "multi_grid": [1, 2]}, "`multi_grid` has 2 numbers, but .* depth 50 has 3 units"),
        ({"kind": "resnet", "depth": 34, "multi_grid": [1, 0, 1]}, ".*`multi_grid.1`: .*greater than or equal to 1"),
        (
            {"kind": "resnet", "stem": "beta"},
            ".*stem`: input should be 'torchvision', 'caffe', 'deeplab' or 'resnet_c'",
        ),
        ({"kind": "xception", "depth": 66}, ".*depth`: input should be 41, 65 or 71"),
        ({"kind": "xception", "multi_grid": [1, 2]}, ".*multi_grid"),
        ({"kind": "drn", "variant": "D-56"}, ".*variant`: input should be 'C-26', 'C-42', 'C-58', 'D-22', 'D-38'"),
        ({"kind": "vgg16", "pools": "3x3"}, ".*pools`: input should be 'caffe' or 'torchvision'"),
        ({"kind": "mobilenet_v3", "size": "tiny"}, ".*size`: input should be 'small' or 'large'"),
        ({"kind": "mobilenet_v1", "width": 0}, ".*width`: input should be greater than 0"),
        ({"kind": "resnet", "in_channels": 0}, ".*in_channels`: input should be greater than or equal to 1"),
        ({"kind": "vgg"}, ".*no kind `vgg`; did you mean `vgg16`"),
    ],
)
def test_an_impossible_choice_is_answered_with_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe\.yaml: .*{sentence}[^\n]*$"):
        parse(BackboneConfig, data, "recipe.yaml")


@pytest.mark.parametrize(
    ("config", "output_stride", "sentence"),
    [
        (DRNConfig(), 16, "kind drn has no output stride 16: take 4 or 8"),
        (XceptionConfig(), 12, "kind xception has no output stride 12: take 4, 8, 16 or 32"),
        (ResNetConfig(), 2, "kind resnet has no output stride 2: take 4, 8, 16 or 32"),
    ],
)
def test_an_impossible_output_stride_is_refused(config: BackboneConfig, output_stride: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        require_output_stride(config, output_stride)
    with pytest.raises(ValueError, match=sentence):
        build_backbone(config, output_stride)


def test_multi_grid_of_ones_suits_every_depth() -> None:
    assert ResNetConfig(depth=18).multi_grid == (1, 1, 1)
    assert ResNetConfig(depth=18, multi_grid=(1, 2)).multi_grid == (1, 2)
