"""The one network of the family: backbone, context, decoder, classifier, back to the size of the image."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones import Backbone
from atrous.networks.layers import resize_bilinear

ChannelOrder = Literal["rgb", "bgr"]
Positive = Annotated[float, Field(gt=0)]


class PixelScaleConfig(Config):
    """How the weights want their pixels; the defaults are ImageNet's statistics, as in torchvision and timm."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Subtracted from red, green and blue in 0..1."""
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    """Divides red, green and blue after that; 1/255 for weights that want 0..255."""
    order: ChannelOrder = "rgb"
    """The order in which the channels then enter the backbone; "bgr" for weights from Caffe."""


class PixelScale(nn.Module):
    """Turns RGB in 0..1 into what the weights of a backbone were trained on.

    Args:
        mean: Of red, green and blue, in this order whatever `order` is.
        std: Likewise.
        order: The order of the channels in the result.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], order: ChannelOrder) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))
        self.order = order

    def forward(self, image: Tensor) -> Tensor:
        """Return [B, 3, H, W] in the pixels of the weights, for float RGB [B, 3, H, W] in 0..1."""
        scaled = (image - self.mean) / self.std
        return scaled.flip(1) if self.order == "bgr" else scaled


class SegmentationNetwork(nn.Module):
    """Every member of the DeepLab family; they differ in their parts.

    Args:
        pixels: From RGB in 0..1 to the pixels of the backbone's weights.
        backbone: From an image to its levels of features, fine to coarse.
        context: From the deepest level to features of the same size that know what surrounds them.
        decoder: From context and all levels, `decoder(context, levels)`, to the features to classify.
        classifier: From these features to one channel per class.
    """

    def __init__(
        self, pixels: PixelScale, backbone: Backbone, context: nn.Module, decoder: nn.Module, classifier: nn.Conv2d
    ) -> None:
        super().__init__()
        self.pixels = pixels
        self.backbone = backbone
        self.context = context
        self.decoder = decoder
        self.classifier = classifier
        self.num_classes = classifier.out_channels

    @property
    def output_stride(self) -> int:
        """Pixels of the image per pixel of the deepest features."""
        return self.backbone.strides[-1]

    def forward(self, image: Tensor) -> Tensor:
        """Return logits, float32 [B, K, H, W], for float RGB [B, 3, H, W] in 0..1, of any size."""
        logits = _float_planes(self.low_resolution_logits(image))
        return resize_bilinear(logits, image.shape[-2:])

    def low_resolution_logits(self, image: Tensor) -> Tensor:
        """Return the logits [B, K, h, w] at the size in which they are computed, before they are resized."""
        levels = self.backbone(self.pixels(image))
        context = self.context(levels[-1])
        logits: Tensor = self.classifier(self.decoder(context, levels))
        return logits


def _float_planes(logits: Tensor) -> Tensor:
    # The loss works on one float32 plane per class, and would otherwise have these copied at the size of the image:
    # on one core, resize and cross-entropy of 4 x 21 x 513 x 513 from bfloat16 take 0.35 s with this, 0.51 s without.
    return logits.to(torch.promote_types(logits.dtype, torch.float32), memory_format=torch.contiguous_format)


def initialize(network: SegmentationNetwork) -> None:
    """Draw the convolutions from He et al. 2015 (arXiv:1502.01852, fan-out), the classifier from N(0, 0.01)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # Each group sees its own outputs only; counting them all would start depthwise kernels near zero.
            fan_out = module.out_channels // module.groups * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    nn.init.normal_(network.classifier.weight, std=0.01)
    if network.classifier.bias is not None:
        nn.init.zeros_(network.classifier.bias)
