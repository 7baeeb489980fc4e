"""Every config at its smallest, for the tests."""

from atrous.networks import (
    PUBLISHED_CELL,
    AuxiliaryHeadConfig,
    CellBranch,
    DeepLabV1Config,
    DeepLabV2Config,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    LiteDeepLabConfig,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
)

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
    LiteDeepLabConfig(backbone=MobileNetV2Config(width=0.25), context_channels=16),
)
