from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from atrous.errors import CheckpointError
from atrous.networks import DeepLabV3PlusConfig, SegmentationNetwork, build_network
from atrous.weights.formats.keras_h5 import read_keras_h5
from atrous.weights.from_keras import keras_layout, keras_tensors
from atrous.weights.importing import import_weights
from atrous.weights.parity import Imported
from atrous.weights.renaming import fill, spread
from tests.weights.keras_files import FILES, KerasCase, drawn, keras_case, write_keras_h5

slow = pytest.mark.slow
NAMES = ("mobilenet", "mobilenet_odd", "mobilenet_v2", "tonandr", "bonlime", pytest.param("resnet50", marks=slow))


def imported_case(name: str, tmp_path: Path, **choices: Any) -> tuple[KerasCase, Imported, SegmentationNetwork]:
    case = keras_case(name)
    write_keras_h5(tmp_path / f"{name}.h5", case.layers, whole_model=name == "mobilenet")
    found = import_weights(tmp_path / f"{name}.h5", **choices)
    network = build_network(found.config, found.num_classes).eval()
    network.load_state_dict(found.tensors)
    network.pixels = nn.Identity()  # type: ignore[assignment]  # Keras was fed with numbers, and not with a picture
    return case, found, network


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_whole_and_answers_as_keras_does(name: str, tmp_path: Path) -> None:
    case, found, network = imported_case(name, tmp_path)
    assert (found.report.left_over, found.report.missing, found.report.other_shape) == ((), (), ())
    answer = network(torch.from_numpy(case.pixels).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    if len(case.shape) == 2:  # a classifier says the same everywhere
        answer = answer[:, 0, 0]
    assert tuple(answer.shape) == case.shape
    values = answer.numpy().ravel()
    values = values[:: max(1, values.size // 400)]
    assert np.abs(values - case.answer).max() < 1e-4 * np.abs(case.answer).max()


@pytest.mark.parametrize("name", ["mobilenet", "mobilenet_v2", "tonandr", "bonlime"])
def test_every_weight_goes_back_as_it_came(name: str, tmp_path: Path) -> None:
    weights = write_keras_h5(tmp_path / "a.h5", keras_case(name).layers)
    tensors = keras_tensors(read_keras_h5(tmp_path / "a.h5"))
    assert len(tensors) == len(weights)
    layout = keras_layout(tensors, "a.h5")
    back = spread(layout, fill(layout, tensors).tensors)
    for theirs, tensor in tensors.items():
        torch.testing.assert_close(back[theirs], tensor, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_file_without_its_classifier_gives_the_backbone_when_that_is_allowed(tmp_path: Path) -> None:
    case = keras_case("vgg16_no_top")
    write_keras_h5(tmp_path / "a.h5", case.layers)
    with pytest.raises(CheckpointError, match=r"lacks .*classifier\.weight.*--allow-partial"):
        import_weights(tmp_path / "a.h5")
    _, found, network = imported_case("vgg16_no_top", tmp_path, allow_partial=["classifier.*"])
    features = network.backbone(torch.from_numpy(case.pixels).permute(0, 3, 1, 2))[-1]
    values = features.permute(0, 2, 3, 1).numpy().ravel()
    values = values[:: max(1, values.size // 400)]
    assert np.abs(values - case.answer).max() < 1e-4 * np.abs(case.answer).max()
    assert found.report.missing == ("classifier.weight", "classifier.bias")


def test_pixels_padding_and_epsilon_are_those_of_keras(tmp_path: Path) -> None:
    _, found, _ = imported_case("mobilenet_v2", tmp_path)
    assert found.config.padding == "same"
    assert found.config.pixels.mean == (0.5, 0.5, 0.5)
    assert found.config.backbone.kind == "mobilenet_v2"
    assert found.config.backbone.width == 0.35
    assert any("moving_variance" in name for match in found.report.matched for name in match.theirs)


def norm(name: str, channels: int) -> dict[str, Tensor]:
    return {f"{name}_BN/{role}": torch.ones(channels) for role in ("gamma", "beta", "moving_mean", "moving_variance")}


def convolution(name: str, inputs: int, outputs: int, kernel: int = 1) -> dict[str, Tensor]:
    return {f"{name}/kernel": torch.ones(kernel, kernel, inputs, outputs), **norm(name, outputs)}


def separable(name: str, inputs: int, outputs: int) -> dict[str, Tensor]:
    depthwise = {f"{name}_depthwise/depthwise_kernel": torch.ones(3, 3, inputs, 1), **norm(f"{name}_depthwise", inputs)}
    return {**depthwise, **convolution(f"{name}_pointwise", inputs, outputs)}


def bonlime_xception() -> dict[str, Tensor]:
    """The layers of bonlime's DeepLab v3+ on Xception-65, by the rules of its names."""
    tensors = {**convolution("entry_flow_conv1_1", 3, 32, 3), **convolution("entry_flow_conv1_2", 32, 64, 3)}
    blocks = [("entry_flow_block1", (64, 128, 128, 128)), ("entry_flow_block2", (128, 256, 256, 256))]
    blocks += [("entry_flow_block3", (256, 728, 728, 728))]
    blocks += [(f"middle_flow_unit_{unit}", (728, 728, 728, 728)) for unit in range(1, 17)]
    blocks += [("exit_flow_block1", (728, 728, 1024, 1024)), ("exit_flow_block2", (1024, 1536, 1536, 2048))]
    for name, channels in blocks:
        for number in range(3):
            tensors |= separable(f"{name}_separable_conv{number + 1}", *channels[number : number + 2])
        if "entry" in name or name == "exit_flow_block1":
            tensors |= convolution(f"{name}_shortcut", channels[0], channels[-1])
    tensors |= convolution("image_pooling", 2048, 256) | convolution("aspp0", 2048, 256)
    for number in (1, 2, 3):
        tensors |= separable(f"aspp{number}", 2048, 256)
    tensors |= convolution("concat_projection", 1280, 256) | convolution("feature_projection0", 256, 48)
    tensors |= separable("decoder_conv0", 304, 256) | separable("decoder_conv1", 256, 256)
    return {**tensors, "logits_semantic/kernel": torch.ones(1, 1, 256, 21), "logits_semantic/bias": torch.ones(21)}


def test_bonlimes_xception_is_read_whole() -> None:
    tensors = bonlime_xception()
    layout = keras_layout(tensors, "a.h5")
    assert isinstance(layout.config, DeepLabV3PlusConfig)
    assert layout.config.backbone.kind == "xception"
    assert layout.config.separable
    assert layout.config.padding == "same_stem"
    filled = fill(layout, tensors)
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())
    assert len(filled.matched) == len(tensors)


def test_networks_that_are_not_known_are_refused_by_name(tmp_path: Path) -> None:
    layers = [("block4_sepconv1", [("block4_sepconv1/depthwise_kernel", [3, 3, 4, 1])])]
    write_keras_h5(tmp_path / "xception.h5", layers)
    with pytest.raises(CheckpointError, match="Keras's own Xception, which is another network"):
        import_weights(tmp_path / "xception.h5")
    write_keras_h5(tmp_path / "own.h5", [("my_layer", [("my_layer/kernel", [3, 3, 3, 4])])])
    with pytest.raises(CheckpointError, match=r"own\.h5 has layers of no network that is known here \(my_layer"):
        import_weights(tmp_path / "own.h5")


def test_the_kept_answers_are_of_no_network_that_ignores_its_weights() -> None:
    for path in FILES.glob("*.json"):
        case = keras_case(path.stem)
        assert np.unique(case.answer).size > 5
        assert len(drawn(case.layers)) > 20
