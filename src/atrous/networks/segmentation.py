"""The one network of the family: backbone, context, decoder, classifier, back to the size of the image."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.backbones import Backbone
from atrous.networks.context import ASPPClassifiers
from atrous.networks.decoders import AuxiliaryHead
from atrous.networks.layers import ResizeMode, resize_bilinear

ChannelOrder = Literal["rgb", "bgr"]
LossSize = Literal["image", "logits"]
Positive = Annotated[float, Field(gt=0)]


class PixelScaleConfig(Config):
    """How the weights want their pixels; the defaults are ImageNet's statistics, as in torchvision and timm."""

    mean: tuple[float, ...] = Field(default=(0.485, 0.456, 0.406), min_length=1)
    """Subtracted from each band in 0..1: red, green and blue, and any others behind them."""
    std: tuple[Positive, ...] = Field(default=(0.229, 0.224, 0.225), min_length=1)
    """Divides each band after that; 1/255 for weights that want 0..255."""
    order: ChannelOrder = "rgb"
    """The order in which the channels then enter the backbone; "bgr" for weights from Caffe."""

    @model_validator(mode="after")
    def _one_of_each_per_band(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"`mean` has {len(self.mean)} bands and `std` has {len(self.std)}: give one number per band in both"
            )
        if self.order == "bgr" and len(self.mean) != 3:
            raise ValueError(f"`order` bgr is for 3 bands, but `mean` has {len(self.mean)}: take rgb")
        return self


class PixelScale(nn.Module):
    """Turns RGB in 0..1 into what the weights of a backbone were trained on.

    Args:
        mean: Of red, green and blue, in this order whatever `order` is; of every band where there are others.
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
        """Return [B, bands, H, W] in the pixels of the weights, for float [B, bands, H, W] in 0..1."""
        scaled = (image - self.mean) / self.std
        return scaled.flip(1) if self.order == "bgr" else scaled


class WeightedLogits(NamedTuple):
    """One of the answers that training compares with the mask."""

    logits: Tensor
    """float32 [B, K, h, w]; the mask is sampled to this size."""
    weight: float
    """Of its loss in the sum."""


class SegmentationNetwork(nn.Module):
    """Every member of the DeepLab family; they differ in their parts.

    Args:
        pixels: From RGB in 0..1 to the pixels of the backbone's weights.
        backbone: From an image to its levels of features, fine to coarse.
        context: From the deepest level to features of the same size that know what surrounds them.
        decoder: From context and all levels, `decoder(context, levels)`, to the features to classify.
        classifier: From these features to one channel per class.
        refinement: From logits to better ones of the same size.
        auxiliary: From the levels to further logits, in training only.
        scales: At which sizes of the image the network answers, beginning with 1; the largest logit of each class and
            place is the answer (Chen et al. 2016, arXiv:1606.00915, section 4.1).
        loss_size: The size at which the loss compares, that of the image or that of the logits.
        resize: Where pixels lie on each other when logits are resized.
    """

    def __init__(
        self,
        pixels: PixelScale,
        backbone: Backbone,
        context: nn.Module,
        decoder: nn.Module,
        classifier: nn.Conv2d | ASPPClassifiers,
        *,
        refinement: nn.Module | None = None,
        auxiliary: AuxiliaryHead | None = None,
        scales: Sequence[float] = (1.0,),
        loss_size: LossSize = "image",
        resize: ResizeMode = "half_pixel",
    ) -> None:
        super().__init__()
        self.pixels = pixels
        self.backbone = backbone
        self.context = context
        self.decoder = decoder
        self.classifier = classifier
        self.refinement = refinement or nn.Identity()
        self.auxiliary = auxiliary
        self.scales = tuple(scales)
        self.loss_size = loss_size
        self.resize = resize
        self.num_classes = classifier.out_channels
        self.build_at: Callable[[int], SegmentationNetwork] | None = None
        """Builds the same choices at another output stride; whoever builds a network from a config sets it."""

    @property
    def output_stride(self) -> int:
        """Pixels of the image per pixel of the deepest features."""
        return self.backbone.strides[-1]

    def forward(self, image: Tensor) -> Tensor:
        """Return logits, float32 [B, K, H, W], for float RGB [B, 3, H, W] in 0..1, of any size."""
        logits = _float_planes(self.low_resolution_logits(image))
        return resize_bilinear(logits, image.shape[-2:], self.resize)

    def low_resolution_logits(self, image: Tensor) -> Tensor:
        """Return the logits [B, K, h, w] at the size in which they are computed, before they are resized."""
        return largest([self._logits(levels) for levels in self._pyramid(image)], self.resize)

    def training_logits(self, image: Tensor) -> list[WeightedLogits]:
        """Return all that the loss is summed over: the network's answer, that of each scale, the auxiliary one.

        The answer itself comes first. With one scale and no auxiliary head it is the only one.
        """
        pyramid = self._pyramid(image)
        of_scales = [self._logits(levels) for levels in pyramid]
        outputs = [(logits, 1.0) for logits in of_scales]
        if len(of_scales) > 1:
            outputs.insert(0, (largest(of_scales, self.resize), 1.0))
        if self.auxiliary is not None:
            outputs.append((self.auxiliary(pyramid[0]), self.auxiliary.weight))
        return [WeightedLogits(self._for_the_loss(logits, image), weight) for logits, weight in outputs]

    def with_output_stride(self, output_stride: int) -> "SegmentationNetwork":
        """Return this network with finer or coarser features, at the same weights.

        Rates change with the stride, so that every convolution meets the same places of the image (Chen et al. 2017,
        arXiv:1706.05587, section 3.3). Both networks share their tensors: what trains one trains the other.

        Raises:
            ConfigError: If the members of the family, or the backbone, cannot have this stride.
            ValueError: If the network was put together by hand and not from a config.
        """
        if self.build_at is None:
            raise ValueError("this network was put together by hand: build it with build_network to change its stride.")
        with torch.device("meta"):
            other = self.build_at(output_stride)
        for mine, others in zip(self.modules(), other.modules(), strict=True):
            others.training = mine.training
            others.__class__ = mine.__class__  # a normalization may have been synchronized since it was built
            for name, tensor in (*mine.named_parameters(recurse=False), *mine.named_buffers(recurse=False)):
                setattr(others, name, tensor)
        return other

    def _pyramid(self, image: Tensor) -> list[list[Tensor]]:
        """The levels of features at each scale of the image."""
        pixels = self.pixels(image)
        height, width = pixels.shape[-2:]
        sizes = [(math.ceil(height * scale), math.ceil(width * scale)) for scale in self.scales[1:]]
        smaller = [resize_bilinear(pixels, size, self.resize) for size in sizes]
        return [self.backbone(scaled) for scaled in (pixels, *smaller)]

    def _logits(self, levels: Sequence[Tensor]) -> Tensor:
        context = self.context(levels[-1])
        logits: Tensor = self.refinement(self.classifier(self.decoder(context, levels)))
        return logits

    def _for_the_loss(self, logits: Tensor, image: Tensor) -> Tensor:
        logits = _float_planes(logits)
        return resize_bilinear(logits, image.shape[-2:], self.resize) if self.loss_size == "image" else logits


def largest(logits: Sequence[Tensor], resize: ResizeMode = "half_pixel") -> Tensor:
    """Return the largest logit of each class and place, at the size of the first."""
    answer, *others = logits
    for other in others:
        answer = torch.maximum(answer, resize_bilinear(other, answer.shape[-2:], resize))
    return answer


def _float_planes(logits: Tensor) -> Tensor:
    # The loss works on one float32 plane per class, and would otherwise have these copied at the size of the image:
    # on one core, resize and cross-entropy of 4 x 21 x 513 x 513 from bfloat16 take 0.35 s with this, 0.51 s without.
    return logits.to(torch.promote_types(logits.dtype, torch.float32), memory_format=torch.contiguous_format)


def initialize(network: SegmentationNetwork) -> None:
    """Draw the convolutions from He et al. 2015 (arXiv:1502.01852, fan-out), the classifiers from N(0, 0.01).

    A backbone that came with its weights keeps them.
    """
    trained = set(network.backbone.modules()) if network.backbone.has_weights else set()
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module not in trained:
            # Each group sees its own outputs only; counting them all would start depthwise kernels near zero.
            fan_out = module.out_channels // module.groups * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for _, classifier in classifiers_of(network):
        nn.init.normal_(classifier.weight, std=0.01)


def classifiers_of(network: SegmentationNetwork) -> list[tuple[str, nn.Conv2d]]:
    """Return the convolutions that give one channel per class, with their names."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith(("classifier", "auxiliary.classifier"))
    ]
