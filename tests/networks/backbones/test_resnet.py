import pytest
import torch
from torch import Tensor, nn

from atrous.networks.backbones.resnet import Depth, ResNet
from tests.networks.randomness import randomize

DEPTHS: tuple[Depth, ...] = (18, 34, 50, 101, 152)


def renamed(name: str) -> str:
    """The name that torchvision and timm give to one of our tensors."""
    part, *rest = name.split(".")
    if part == "stem":
        layer, tensor = rest
        return f"{ {'convolution': 'conv1', 'norm': 'bn1'}[layer] }.{tensor}"
    stage, block, where, *inner, layer, tensor = rest
    if where == "shortcut":
        place = f"downsample.{ {'convolution': 0, 'norm': 1}[layer] }"
    else:
        place = f"{ {'convolution': 'conv', 'norm': 'bn'}[layer] }{int(inner[0]) + 1}"
    return f"layer{int(stage) + 1}.{block}.{place}.{tensor}"


def copy_of(theirs: nn.Module, depth: Depth, output_stride: int) -> ResNet:
    randomize(theirs)
    ours = ResNet(depth, output_stride).eval()
    ours.load_state_dict({name: theirs.state_dict()[renamed(name)] for name in ours.state_dict()})
    return ours


def random_image(size: tuple[int, int]) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


def assert_levels_agree(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert float((mine - other).norm() / other.norm()) < 1e-4
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth_has_the_tensors_of_torchvision(depth: Depth) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs = getattr(models, f"resnet{depth}")().state_dict()
        ours = ResNet(depth, 32).state_dict()
    expected = {name: tensor.shape for name, tensor in theirs.items() if not name.startswith("fc.")}
    assert {renamed(name): tensor.shape for name, tensor in ours.items()} == expected


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("size", [(64, 64), (67, 45)])
def test_features_agree_with_torchvision(depth: Depth, size: tuple[int, int]) -> None:
    models = pytest.importorskip("torchvision.models")
    theirs = getattr(models, f"resnet{depth}")().eval()
    ours = copy_of(theirs, depth, 32)
    image = random_image(size)
    x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(image))))
    expected = []
    for stage in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        x = stage(x)
        expected.append(x)
    assert_levels_agree(ours(image), expected)


@torch.no_grad()
@pytest.mark.parametrize(("output_stride", "dilated"), [(8, [False, True, True]), (16, [False, False, True])])
def test_atrous_features_agree_with_torchvision(output_stride: int, dilated: list[bool]) -> None:
    models = pytest.importorskip("torchvision.models")
    utilities = pytest.importorskip("torchvision.models._utils")
    resnet = models.resnet50(replace_stride_with_dilation=dilated).eval()
    ours = copy_of(resnet, 50, output_stride)
    theirs = utilities.IntermediateLayerGetter(resnet, {f"layer{n}": str(n) for n in (1, 2, 3, 4)})
    image = random_image((67, 45))
    assert_levels_agree(ours(image), list(theirs(image).values()))


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_atrous_features_agree_with_timm_also_for_basic_blocks(depth: Depth, output_stride: int) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(
        f"resnet{depth}", features_only=True, output_stride=output_stride, out_indices=(1, 2, 3, 4)
    ).eval()
    ours = copy_of(theirs, depth, output_stride)
    assert ours.strides == tuple(theirs.feature_info.reduction())
    image = random_image((67, 45))
    assert_levels_agree(ours(image), theirs(image))
