"""A classifier of whole images: what backbones were before they segmented, and what their released weights answer."""

from typing import Literal

from torch import Tensor, nn

from atrous.networks.backbones import BackboneConfig, MobileNetV2Config, build_backbone
from atrous.networks.decoders import KeepContext
from atrous.networks.family import Count, FamilyConfig, OutputStride, backbone_levels, build_pixels
from atrous.networks.layers import ConvNormActivation
from atrous.networks.segmentation import SegmentationNetwork


class ImageClassifierConfig(FamilyConfig):
    """A backbone with the head that it was trained with; every pixel gets the class of its image."""

    kind: Literal["image_classifier"] = "image_classifier"
    backbone: BackboneConfig = MobileNetV2Config()
    output_stride: OutputStride = 32
    hidden_channels: Count | None = None
    """Of a 1x1 convolution before the mean: 1280 in MobileNetV2."""
    pooled_channels: Count | None = None
    """Of a layer behind the mean: 1280 in MobileNetV3-Large, 1024 in MobileNetV3-Small."""


class MeanOfImage(nn.Module):
    """One vector per image.

    Args:
        in_channels: Channels of the deepest features.
        hidden_channels: Of a 1x1 convolution before the mean; none for none.
        pooled_channels: Of a layer behind the mean, with bias and hard swish; none for none.
    """

    def __init__(self, in_channels: int, hidden_channels: int | None, pooled_channels: int | None = None) -> None:
        super().__init__()
        self.out_channels = pooled_channels or hidden_channels or in_channels
        self.hidden: nn.Module = nn.Identity()
        if hidden_channels is not None:
            self.hidden = ConvNormActivation(in_channels, hidden_channels, activation=nn.ReLU6)
        self.pooled: nn.Module = nn.Identity()
        if pooled_channels is not None:
            layer = nn.Conv2d(hidden_channels or in_channels, pooled_channels, kernel_size=1)
            self.pooled = nn.Sequential(layer, nn.Hardswish())

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, 1, 1] for the deepest features [B, in_channels, H, W]."""
        pooled: Tensor = self.pooled(self.hidden(x).mean(dim=(2, 3), keepdim=True))
        return pooled


def image_classifier(config: ImageClassifierConfig, num_classes: int) -> SegmentationNetwork:
    """Return the network of `config`; its weights are as torch draws them."""
    channels = backbone_levels(config.backbone, config.output_stride).channels[-1]
    context = MeanOfImage(channels, config.hidden_channels, config.pooled_channels)
    return SegmentationNetwork(
        build_pixels(config.pixels),
        build_backbone(config.backbone, config.output_stride),
        context,
        KeepContext(),
        nn.Conv2d(context.out_channels, num_classes, kernel_size=1),
        resize=config.resize,
    )


def deviations(config: ImageClassifierConfig) -> list[str]:
    """Say that it is no member of the family."""
    return [f"a {config.backbone.kind} that classifies whole images; no DeepLab, but the start of one"]
