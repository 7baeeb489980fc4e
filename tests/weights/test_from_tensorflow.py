from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import (
    PUBLISHED_CELL,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
    XceptionConfig,
    build_network,
)
from atrous.weights.formats.graphdef import read_graph_def
from atrous.weights.from_tensorflow import tensorflow_layout
from atrous.weights.importing import import_weights
from atrous.weights.renaming import fill
from tests.networks.oracles import relative_difference
from tests.real import REAL, real

PORTRAIT = REAL / "weights/portrait_dm05_513/frozen_inference_graph.pb"


@real
@torch.no_grad()
def test_the_variables_of_a_real_network_give_what_its_graph_gives() -> None:
    """A frozen graph holds the variables of the checkpoint that it was made of, under their names."""
    graph = read_graph_def(PORTRAIT)
    heads = ("MobilenetV2/", "aspp", "image_pooling/", "concat_projection/", "logits/semantic/")
    roles = ("weights", "gamma", "beta", "moving_mean", "moving_variance", "biases")
    variables = {
        name: torch.from_numpy(np.array(value, np.float32))
        for name, value in graph.constants.items()
        if name.startswith(heads) and name.endswith(roles)
    }
    layout = tensorflow_layout(variables, "the test")
    filled = fill(layout, variables)
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())
    by_graph = import_weights(PORTRAIT)
    # The variables do not say the output stride, which a network can change.
    ours, theirs = build_network(layout.config, 2).eval(), build_network(by_graph.config, 2).eval()
    ours.load_state_dict(filled.tensors)
    theirs.load_state_dict(by_graph.tensors)
    image = torch.rand(1, 3, 129, 96, generator=torch.Generator().manual_seed(0))
    assert relative_difference(ours.with_output_stride(8)(image), theirs(image)) < 1e-4


def variables_of(names: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=random) + 0.5 for name, shape in names.items()}


def written_as(config: NetworkConfig, probe: dict[str, Tensor]) -> dict[str, Tensor]:
    """Variables of a random network of `config`, under the names that a layout recognised from `probe` gives them."""
    layout = tensorflow_layout(probe, "the test")
    torch.manual_seed(0)
    network = build_network(config, layout.num_classes)
    theirs: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        if name in layout.sources:
            source = layout.sources[name]
            theirs.update(zip(source.names, source.write(tensor), strict=True))
    return theirs


XCEPTION = {
    "xception_65/entry_flow/conv1_1/weights": (3, 3, 3, 32),
    "xception_65/entry_flow/block1/unit_1/xception_module/separable_conv1_depthwise/depthwise_weights": (3, 3, 64, 1),
    "image_pooling/weights": (1, 1, 2048, 256),
    "concat_projection/weights": (1, 1, 1280, 256),
    "aspp1_pointwise/weights": (1, 1, 2048, 256),
    "aspp2_pointwise/weights": (1, 1, 2048, 256),
    "aspp3_pointwise/weights": (1, 1, 2048, 256),
    "aspp1_depthwise/depthwise_weights": (3, 3, 2048, 1),
    "decoder/feature_projection0/weights": (1, 1, 256, 48),
    "decoder/decoder_conv0_pointwise/weights": (1, 1, 304, 256),
    "decoder/decoder_conv1_pointwise/weights": (1, 1, 256, 256),
    "logits/semantic/weights": (1, 1, 256, 21),
}
RESNET = {
    "resnet_v1_101/conv1_1/weights": (3, 3, 3, 64),
    **{name: shape for name, shape in XCEPTION.items() if not name.startswith("xception")},
}


CELL = {
    **{name: shape for name, shape in XCEPTION.items() if "aspp" not in name and "/" in name and "pooling" not in name},
    "meta_architecture/concat_projection/weights": (1, 1, 1280, 256),
    "meta_architecture/branch0_depthwise/depthwise_weights": (3, 3, 2048, 1),
}
del CELL["concat_projection/weights"]


def test_the_dense_prediction_cell_of_the_zoo_is_read_whole() -> None:
    layout = tensorflow_layout(variables_of(CELL), "the test")
    assert isinstance(layout.config, DeepLabV3PlusConfig)
    assert layout.config.cell == PUBLISHED_CELL
    names = {name for source in layout.sources.values() for name in source.names}
    assert {
        "meta_architecture/branch0_depthwise/depthwise_weights",
        "meta_architecture/branch4_pointwise/BatchNorm/gamma",
        "meta_architecture/concat_projection/weights",
        "decoder/decoder_conv1_depthwise/BatchNorm/beta",
    } <= names
    with torch.device("meta"):
        own = build_network(layout.config, 21).state_dict()
    unnamed = {name for name in own if name not in layout.sources}
    assert all(name.endswith("num_batches_tracked") or name.startswith("pixels.") for name in unnamed)
    another = {**CELL, "meta_architecture/branch5_depthwise/depthwise_weights": (3, 3, 256, 1)}
    with pytest.raises(CheckpointError, match="another dense prediction cell than the published one"):
        tensorflow_layout(variables_of(another), "the test")


@pytest.mark.parametrize(
    ("probe", "backbone", "examples"),
    [
        (
            XCEPTION,
            XceptionConfig(depth=65),
            [
                "xception_65/middle_flow/block1/unit_16/xception_module/separable_conv3_pointwise/BatchNorm/gamma",
                "xception_65/exit_flow/block2/unit_1/xception_module/separable_conv3_depthwise/depthwise_weights",
                "xception_65/entry_flow/block3/unit_1/xception_module/shortcut/weights",
                "aspp3_depthwise/BatchNorm/moving_variance",
                "decoder/decoder_conv1_pointwise/BatchNorm/beta",
            ],
        ),
        (
            RESNET,
            ResNetConfig(depth=101, stem="deeplab", stride_unit="last"),
            [
                "resnet_v1_101/conv1_3/BatchNorm/moving_mean",
                "resnet_v1_101/block3/unit_23/bottleneck_v1/conv2/weights",
                "resnet_v1_101/block1/unit_1/bottleneck_v1/shortcut/BatchNorm/gamma",
            ],
        ),
    ],
    ids=["xception", "resnet"],
)
def test_the_large_networks_of_the_zoo_are_recognised_and_named(
    probe: dict[str, tuple[int, ...]], backbone: XceptionConfig | ResNetConfig, examples: list[str]
) -> None:
    layout = tensorflow_layout(variables_of(probe), "the test")
    assert isinstance(layout.config, DeepLabV3PlusConfig)
    assert layout.config.backbone == backbone
    assert (layout.config.rates, layout.config.separable, layout.num_classes) == ((6, 12, 18), True, 21)
    names = {name for source in layout.sources.values() for name in source.names}
    assert set(examples) <= names
    with torch.device("meta"):
        own = build_network(layout.config, 21).state_dict()
    unnamed = {name for name in own if name not in layout.sources}
    assert all(name.endswith("num_batches_tracked") or name.startswith("pixels.") for name in unnamed)


def test_slots_and_counters_are_ignored_and_what_is_foreign_is_left_over() -> None:
    config = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=256)
    probe = {
        "MobilenetV2/Conv/weights": (3, 3, 3, 8),
        "MobilenetV2/expanded_conv_1/project/weights": (1, 1, 48, 8),
        "MobilenetV2/expanded_conv_16/project/weights": (1, 1, 480, 80),
        "image_pooling/weights": (1, 1, 80, 256),
        "concat_projection/weights": (1, 1, 512, 256),
        "logits/semantic/weights": (1, 1, 256, 5),
    }
    variables = written_as(config, variables_of(probe))
    variables |= {
        "global_step": torch.tensor(1),
        "MobilenetV2/Conv/weights/Momentum": torch.zeros(1),
        "foreign": torch.ones(1),
    }
    filled = fill(tensorflow_layout(variables, "the test"), variables)
    assert filled.left_over == ("foreign",)
    assert (filled.missing, filled.other_shape) == ((), ())


@pytest.mark.parametrize(
    ("backbone", "probe"),
    [
        (
            MobileNetV1Config(width=0.25),
            {"MobilenetV1/Conv2d_0/weights": (3, 3, 3, 8), "MobilenetV1/Logits/Conv2d_1c_1x1/weights": (1, 1, 256, 7)},
        ),
        (
            ResNetConfig(depth=50, stride_unit="last"),
            {"resnet_v1_50/conv1/weights": (7, 7, 3, 64), "resnet_v1_50/logits/weights": (1, 1, 2048, 7)},
        ),
    ],
    ids=["mobilenet", "resnet"],
)
def test_classifiers_of_slim_come_back_as_they_were(
    backbone: MobileNetV1Config | ResNetConfig, probe: dict[str, tuple[int, ...]]
) -> None:
    config = ImageClassifierConfig(backbone=backbone)
    variables = written_as(config, variables_of(probe))
    layout = tensorflow_layout(variables, "the test")
    assert isinstance(layout.config, ImageClassifierConfig)
    assert layout.config.backbone == backbone
    filled = fill(layout, variables)
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())


def test_a_checkpoint_of_something_else_is_refused() -> None:
    with pytest.raises(CheckpointError, match="bert"):
        tensorflow_layout({"bert/embeddings": torch.zeros(1)}, "model.ckpt")
