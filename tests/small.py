"""Every config at its smallest, for the tests."""

import torch

from atrous.networks import (
    PUBLISHED_CELL,
    AuxiliaryHeadConfig,
    CellBranch,
    DeepLabV1Config,
    DeepLabV2Config,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    LiteDeepLabConfig,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
    build_network,
)
from atrous.networks.backbones import (
    BackboneConfig,
    DRNConfig,
    MobileNetEdgeTPUConfig,
    MobileNetV1Config,
    MobileNetV3Config,
    VGG16Config,
    XceptionConfig,
)
from atrous.weights.checkpoint import Checkpoint, CheckpointInfo
from tests.tiny_data import LABELS

SMALL_NETWORKS: tuple[NetworkConfig, ...] = (
    DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(width=0.25),
        context_channels=16,
        low_level_channels=8,
        decoder_channels=16,
    ),
    DeepLabV3PlusConfig(
        backbone=ResNetConfig(depth=18),
        output_stride=8,
        context_channels=16,
        low_level_channels=8,
        decoder_channels=16,
        separable=False,
    ),
    DeepLabV1Config(backbone=MobileNetV2Config(width=0.25), hidden_channels=16),
    DeepLabV2Config(backbone=ResNetConfig(depth=18), rates=(4, 8)),
    DeepLabV3Config(
        backbone=MobileNetV2Config(width=0.25),
        context_channels=16,
        head_convolution=True,
        boundary_refinement=True,
        auxiliary=AuxiliaryHeadConfig(),
    ),
    DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(width=0.25),
        output_stride=8,
        cell=(*PUBLISHED_CELL, CellBranch(op="pyramid_pooling", input=0, target_size=(2, 3))),
        context_channels=16,
        low_level_strides=(8, 4),
        low_level_channels=(12, 8),
        decoder_channels=16,
        decoder_convolutions=1,
    ),
    LiteDeepLabConfig(backbone=MobileNetV3Config(size="small", width=0.5), context_channels=16),
    ImageClassifierConfig(backbone=MobileNetV2Config(width=0.25), hidden_channels=16),
    DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(width=0.25, level="depthwise"),
        context_channels=16,
        low_level_channels=8,
        decoder_channels=16,
        padding="same",
        resize="align_corners",
    ),
)

# timm's are left out: to name one is to import timm, which takes seconds.
SMALL_BACKBONES: tuple[BackboneConfig, ...] = (
    VGG16Config(),
    VGG16Config(pools="torchvision"),
    ResNetConfig(depth=18),
    ResNetConfig(depth=18, stem="caffe"),
    ResNetConfig(depth=50, stem="deeplab", stride_in="1x1", multi_grid=(1, 2, 4)),
    ResNetConfig(depth=50, stem="deeplab", stride_unit="last"),
    XceptionConfig(depth=41, multi_grid=(1, 2, 1)),
    DRNConfig(variant="C-26"),
    DRNConfig(variant="D-22"),
    MobileNetV1Config(width=0.25),
    MobileNetV2Config(width=0.25),
    MobileNetV2Config(width=0.25, level="depthwise"),
    MobileNetV3Config(size="small", width=0.5),
    MobileNetEdgeTPUConfig(width=0.5),
)


def checkpoint(seed: int = 0) -> Checkpoint:
    """A network that tells pixels apart, though nobody has trained it."""
    torch.manual_seed(seed)
    network = build_network(SMALL_NETWORKS[0], LABELS.num_classes).eval()
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    info = CheckpointInfo(name="tiny", network=SMALL_NETWORKS[0], labels=LABELS, scores={"mean_iou": 0.5})
    return Checkpoint(network, info)
