import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks.backbones.resnet import Depth, LostStride, ResNet, ResNetConfig
from tests.networks.backbones.oracle import parameters_with_classifier
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
    ours = ResNet(ResNetConfig(depth=depth), output_stride).eval()
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
        ours = ResNet(ResNetConfig(depth=depth), 32).state_dict()
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


@torch.no_grad()
def test_strides_in_the_first_convolution_agree_with_torchvision_so_changed() -> None:
    models = pytest.importorskip("torchvision.models")
    theirs = models.resnet50().eval()
    theirs.maxpool.ceil_mode = True
    randomize(theirs)
    stages = [theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4]
    for stage in stages:
        stage[0].conv1.stride, stage[0].conv2.stride = stage[0].conv2.stride, (1, 1)
    ours = ResNet(ResNetConfig(stem="caffe", stride_in="1x1"), 32).eval()
    ours.load_state_dict({name: theirs.state_dict()[renamed(name)] for name in ours.state_dict()})
    image = random_image((64, 61))  # at which Caffe's pool makes 32 pixels 17
    x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(image))))
    assert x.shape[2:] == (17, 16)
    expected = []
    for stage in stages:
        x = stage(x)
        expected.append(x)
    assert_levels_agree(ours(image), expected)


@torch.no_grad()
def test_the_stem_of_deeplab_agrees_with_the_deep_stem_of_timm() -> None:
    timm = pytest.importorskip("timm")
    # timm's "deep" stem of width 64 is DeepLab's: three 3x3 convolutions to 64, 64 and 128 channels.
    theirs = timm.create_model("resnet50", stem_type="deep", stem_width=64, features_only=True, out_indices=(1,)).eval()
    randomize(theirs)
    ours = ResNet(ResNetConfig(stem="deeplab"), 32).eval()
    source = theirs.state_dict()
    names = {"convolution": ("conv1.0", "conv1.3", "conv1.6"), "norm": ("conv1.1", "conv1.4", "bn1")}
    state = {}
    for name in ours.state_dict():
        part, *rest = name.split(".")
        if part == "stem":
            number, layer, tensor = rest
            state[name] = source[f"{names[layer][int(number)]}.{tensor}"]
        elif rest[0] == "0":
            state[name] = source[renamed(name)]
    ours.load_state_dict(state, strict=False)
    image = random_image((67, 45))
    assert_levels_agree(ours(image)[:1], theirs(image))


@torch.no_grad()
def test_multi_grid_agrees_with_torchvision_given_the_same_rates() -> None:
    models = pytest.importorskip("torchvision.models")
    resnet = models.resnet50(replace_stride_with_dilation=[False, False, True]).eval()
    # The paper's 2 * (1, 2, 4). Here the first unit's 3x3 is the one that lost its stride, and keeps half: 1, 4, 8.
    for unit, rate in zip(resnet.layer4, (1, 4, 8), strict=True):
        unit.conv2.dilation = unit.conv2.padding = (rate, rate)
    randomize(resnet)
    ours = ResNet(ResNetConfig(multi_grid=(1, 2, 4)), 16).eval()
    ours.load_state_dict({name: resnet.state_dict()[renamed(name)] for name in ours.state_dict()})
    image = random_image((67, 45))
    x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(image))))
    x = resnet.layer4(resnet.layer3(resnet.layer2(resnet.layer1(x))))
    assert_levels_agree(ours(image)[-1:], [x])


@pytest.mark.parametrize(("depth", "millions"), [(18, 11.69), (34, 21.80), (50, 25.56), (101, 44.55), (152, 60.19)])
def test_it_has_the_published_parameters_with_the_classifier_of_imagenet(depth: Depth, millions: float) -> None:
    with torch.device("meta"):
        backbone = ResNet(ResNetConfig(depth=depth), 16)
    assert round(parameters_with_classifier(backbone, backbone.channels[-1]) / 1e6, 2) == millions


def tensorflow_stack(backbone: ResNet, image: Tensor, output_stride: int) -> list[Tensor]:
    """TensorFlow's layout written plainly: the last unit of a stage strides, the residual before it is the level."""
    x = backbone.pool(backbone.stem(image))
    stride, rate, levels = 4, 1, []
    for number, stage in enumerate(backbone.stages):
        units = list(stage.children())
        for index, unit in enumerate(units):
            narrow, look, widen = (layer for layer in unit.get_submodule("layers").children())
            strides = number < 3 and index == len(units) - 1
            step = 2 if strides and stride < output_stride else 1
            weight = look.get_parameter("convolution.weight")
            middle = F.conv2d(narrow(x), weight, stride=step, padding=rate, dilation=rate)
            residual = widen(look.get_submodule("activation")(look.get_submodule("norm")(middle)))
            shortcut = unit.get_submodule("shortcut")
            projected = x if len(list(shortcut.parameters())) == 0 else shortcut(x)
            if number < 3 and index == len(units) - 2:
                levels.append(residual)
            x = F.relu(residual + projected[..., ::step, ::step])
            stride *= step
            rate *= 2 if strides and step == 1 else 1
    return [*levels, x]


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_tensorflows_layout_strides_last_and_hands_out_residuals(output_stride: int) -> None:
    torch.manual_seed(0)
    ours = ResNet(ResNetConfig(depth=50, stem="deeplab", stride_unit="last"), output_stride).eval()
    image = random_image((65, 97))
    assert_levels_agree(ours(image), tensorflow_stack(ours, image, output_stride))
    assert ours.strides == tuple(min(stride, output_stride) for stride in (4, 8, 16, 32))


@torch.no_grad()
def test_a_lost_stride_may_double_the_rate_of_its_own_convolution() -> None:
    def rates(lost_stride: LostStride) -> list[int]:
        stage = ResNet(ResNetConfig(depth=50, lost_stride=lost_stride), 8).stages[3]
        return [m.dilation[0] for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]

    assert rates("keeps_rate") == [2, 4, 4]
    assert rates("doubles_rate") == [4, 4, 4]
