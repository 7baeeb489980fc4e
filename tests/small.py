"""Every config at its smallest, for the tests."""

from atrous.networks import DeepLabV3PlusConfig, MobileNetV2Config, NetworkConfig, ResNetConfig

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
)
