"""Networks: an image in, the logits of each class at each pixel out."""

from atrous.networks.backbones import BackboneConfig, MobileNetV2Config, ResNetConfig
from atrous.networks.deeplab_v3plus import DeepLabV3PlusConfig, deeplab_v3plus
from atrous.networks.segmentation import PixelScaleConfig, SegmentationNetwork, initialize

__all__ = [
    "BackboneConfig",
    "DeepLabV3PlusConfig",
    "MobileNetV2Config",
    "NetworkConfig",
    "PixelScaleConfig",
    "ResNetConfig",
    "SegmentationNetwork",
    "build_network",
]

NetworkConfig = DeepLabV3PlusConfig
"""A member of the family: one config today, the union of them tagged by `kind` when there are more."""


def build_network(config: NetworkConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network that `config` chooses, freshly initialized.

    Args:
        config: The member of the family and its choices.
        num_classes: Channels of the logits.

    Raises:
        ValueError: If there is no class.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, but a network needs 1 class or more.")
    network = deeplab_v3plus(config, num_classes)
    initialize(network)
    return network
