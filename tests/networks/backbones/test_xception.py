import pytest
import torch
import torch.nn.functional as F
from torch import nn

from atrous.networks.backbones.xception import Depth, Xception
from tests.networks.backbones.oracle import (
    copy_renamed,
    parameters_with_classifier,
    random_image,
    relative_difference,
)

CONVOLUTION = {"convolution": "conv", "norm": "bn"}
STEP = {"depthwise": "dw", "pointwise": "pw"}
BLOCKS: dict[Depth, int] = {41: 12, 65: 20, 71: 22}


def timm_name(name: str, blocks: int) -> str:
    part, *rest = name.split(".")
    if part == "stem":
        number, layer, tensor = rest
        return f"stem_{number}.{CONVOLUTION[layer]}.{tensor}"
    if part == "end":
        number, step, layer, tensor = rest
        return f"blocks_{blocks}.stack.conv{int(number) + 1}.{CONVOLUTION[layer]}_{STEP[step]}.{tensor}"
    block, where, *inner, layer, tensor = rest
    if where == "shortcut":
        return f"blocks_{block}.shortcut.{CONVOLUTION[layer]}.{tensor}"
    number, step = inner
    return f"blocks_{block}.stack.conv{int(number) + 1}.{CONVOLUTION[layer]}_{STEP[step]}.{tensor}"


def theirs_at(depth: Depth, output_stride: int) -> nn.Module:
    timm = pytest.importorskip("timm")
    network: nn.Module = timm.create_model(f"xception{depth}", features_only=True, output_stride=output_stride)
    return network


# At output stride 8 timm's xception71 has a projection less: where a stride is lost between equal channels, it is gone.
@torch.no_grad()
@pytest.mark.parametrize(
    ("depth", "output_stride", "size"),
    [(41, 32, (64, 64)), (41, 16, (67, 45)), (41, 8, (67, 45)), (65, 16, (33, 47)), (71, 16, (33, 47))],
)
def test_features_agree_with_timm(depth: Depth, output_stride: int, size: tuple[int, int]) -> None:
    theirs = theirs_at(depth, output_stride)
    ours = Xception(depth, output_stride)
    copy_renamed(theirs, ours, lambda name: timm_name(name, BLOCKS[depth]))
    image = random_image(*size)
    expected = theirs(image)[-4:]  # its first level is at stride 2
    assert len(expected) == 4
    for level, other in zip(ours(image)[:-1], expected[:-1], strict=True):
        # Theirs are rectified; ours are not yet, as research/deeplab feeds them to the decoder.
        assert relative_difference(F.relu(level), other) < 1e-4
    assert relative_difference(ours(image)[-1], expected[-1]) < 1e-4


@pytest.mark.parametrize(("depth", "parameters"), [(41, 26_969_560), (65, 39_916_312), (71, 42_338_736)])
def test_it_has_the_parameters_of_timm_with_the_classifier_of_imagenet(depth: Depth, parameters: int) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(f"xception{depth}")
        assert parameters_with_classifier(Xception(depth, 16), 2048) == parameters
    assert sum(parameter.numel() for parameter in theirs.parameters()) == parameters


def test_epsilon_is_that_of_the_released_weights() -> None:
    with torch.device("meta"):
        norms = [module for module in Xception(41, 16).modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {1e-3}
