import sys
from typing import Any

import pytest
import torch

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.networks.backbones import BackboneConfig, TimmConfig, build_backbone, require_output_stride
from tests.networks.backbones.oracle import random_image, relative_difference

timm = pytest.importorskip("timm")


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "output_stride"), [("test_convnext", 8), ("test_efficientnet", 16), ("test_resnet", 32)]
)
def test_levels_are_those_of_timm_at_stride_4_and_coarser(name: str, output_stride: int) -> None:
    config = TimmConfig(name=name, in_channels=2)
    backbone = build_backbone(config, output_stride).eval()
    assert backbone.strides == (4, 8, min(16, output_stride), output_stride)
    image = random_image(64, 96)[:, :2]
    expected = backbone.get_submodule("network")(image)[-4:]
    for level, other, channels in zip(backbone(image), expected, backbone.channels, strict=True):
        assert level.shape[1] == channels
        assert relative_difference(level, other) < 1e-6


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (50, 31)])
def test_any_size_gives_levels_of_the_promised_size(size: tuple[int, int]) -> None:
    backbone = build_backbone(TimmConfig(name="test_convnext"), 16).eval()
    for level, stride in zip(backbone(random_image(*size)), backbone.strides, strict=True):
        assert level.shape[2:] == (-(-size[0] // stride), -(-size[1] // stride))


def test_gradients_reach_every_parameter() -> None:
    backbone = build_backbone(TimmConfig(name="test_convnext"), 16).train()
    loss: Any = sum(level.square().mean() for level in backbone(random_image(33, 33)))
    loss.backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("name", "output_stride", "sentence"),
    [
        ("vgg11", 16, "timm's `vgg11` gives no features at output stride 16"),
        ("test_vit", 32, "timm's `test_vit` ends at stride 16 and has no output stride 32: take another backbone"),
        ("inception_v3", 32, "timm's `inception_v3` is not for any size .*: take another backbone"),
    ],
)
def test_what_timm_cannot_do_is_refused_before_anything_runs(name: str, output_stride: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        require_output_stride(TimmConfig(name=name), output_stride)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ConfigError, match=r"timm has no network `convnxt_tiny`; did you mean `convnext_tiny` or"):
        parse(BackboneConfig, {"kind": "timm", "name": "convnxt_tiny"}, "recipe.yaml")


def test_without_timm_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r'needs timm: pip install "atrous\[timm\]"'):
        parse(BackboneConfig, {"kind": "timm", "name": "convnext_tiny"}, "recipe.yaml")


def test_a_network_that_is_read_from_a_checkpoint_fetches_no_weights() -> None:
    with torch.device("meta"):
        assert not build_backbone(TimmConfig(name="test_convnext", pretrained=True), 16).has_weights


def test_weights_that_cannot_be_fetched_are_no_reason_to_go_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def offline(name: str, *, pretrained: bool, **options: Any) -> Any:
        if pretrained:
            raise OSError("We couldn't connect\nto the hub")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    sentence = r"^timm cannot fetch the weights of `test_convnext` \(We couldn't connect to the hub\): check [^\n]*$"
    with pytest.raises(ConfigError, match=sentence):
        build_backbone(TimmConfig(name="test_convnext", pretrained=True), 16)


def test_fetched_weights_are_marked_so_that_no_initialization_draws_them_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def fetched(name: str, **options: Any) -> Any:
        return create(name, **{**options, "pretrained": False})

    monkeypatch.setattr(timm, "create_model", fetched)
    assert build_backbone(TimmConfig(name="test_convnext", pretrained=True), 16).has_weights
    assert not build_backbone(TimmConfig(name="test_convnext"), 16).has_weights
