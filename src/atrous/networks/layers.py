"""The layers that every part of a network is made of."""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.padding import Conv2d, padded
from atrous.networks.processor_gradients import UNBOUNDED, depthwise, gains, moments, normalize

Activation = type[nn.ReLU] | type[nn.ReLU6] | type[nn.Hardswish] | type[nn.Identity]


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization that can also train where a channel holds a single value, and that can be frozen.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167. One value has no variance, so a batch of one image that has
    shrunk to 1x1, as it always does in image pooling, is normalized by the running statistics and leaves them alone.

    Attributes:
        frozen: Whether training, too, normalizes by the running statistics and leaves them alone.
    """

    frozen = False

    def forward(self, x: Tensor) -> Tensor:
        """Normalize [B, C, H, W] per channel."""
        if self.training and (self.frozen or x.numel() == x.shape[1]):
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if self.is_fast_with(x):
            return self.normalize_and_cut(x, *UNBOUNDED)
        return super().forward(x)

    def is_fast_with(self, x: Tensor) -> bool:
        """Whether `normalize_and_cut` can take [B, C, H, W], and is faster."""
        return type(self) is BatchNorm and self.training and not self.frozen and gains(x)

    def normalize_and_cut(self, x: Tensor, low: float, high: float) -> Tensor:
        """Normalize [B, C, H, W] per channel, in training, and cut off what is below `low` or above `high`."""
        found = moments(x)
        count = x.numel() // x.shape[1]
        self._remember(
            torch.from_numpy(found.mean).float(), torch.from_numpy(found.variance * (count / (count - 1))).float()
        )
        return normalize(x, found, self.weight, self.bias, self.eps, low, high)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class BatchNormConfig(Config):
    """How batch normalization runs; what is not given stays as each part has it."""

    epsilon: float | None = Field(default=None, gt=0)
    """Added to the variance: 1e-5 in torch, 1e-3 in TensorFlow. It belongs to the weights."""
    momentum: float | None = Field(default=None, gt=0)
    """Weight of the newest batch in the running statistics: 0.1 in torch, 1 - decay in TensorFlow (0.0003)."""
    frozen: bool = False
    """Whether training normalizes by the running statistics and leaves them alone; scale and shift still learn."""
    synchronized: bool = True
    """Whether several processes that train together normalize by the statistics of all their pictures, as one process
    would. Otherwise each takes those of its own share, and the running statistics are the mean of theirs."""

    @field_validator("momentum")
    @classmethod
    def _is_no_decay(cls, momentum: float | None) -> float | None:
        if momentum is not None and momentum >= 0.5:
            remedy = "write one below 0.5, such as torch's 0.1"
            if 0.5 < momentum < 1:
                remedy = f"write 1 - decay = {1 - momentum:.6g} instead of {momentum:g}"
            raise ValueError(f"a momentum of 0.5 or more is TensorFlow's decay, the weight of the past: {remedy}")
        return momentum


def apply_batch_norm(network: nn.Module, config: BatchNormConfig) -> None:
    """Make every batch normalization of `network` run as `config` says, those of other libraries too."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if config.epsilon is not None:
                module.eps = config.epsilon
            if config.momentum is not None:
                module.momentum = config.momentum
            if not hasattr(module, "frozen"):  # of another library
                module.register_forward_pre_hook(_evaluate_while_frozen)
            vars(module)["frozen"] = config.frozen


def freeze(part: nn.Module) -> None:
    """Keep a part of a network as it is: no parameter of it learns, and its batch norms keep their statistics."""
    part.requires_grad_(False)
    apply_batch_norm(part, BatchNormConfig(frozen=True))


def _evaluate_while_frozen(norm: nn.Module, _inputs: Any) -> None:
    # `train()` reaches every module, so only the last moment before its use is safe.
    if vars(norm)["frozen"]:
        norm.training = False


class DepthwiseConv(Conv2d):
    """A convolution within each channel, which trains in mixed precision at the speed it should.

    Its values are those of `nn.Conv2d`, and so are its parameters.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        x = padded(x, self.rule, self.kernel_size, self.stride)
        dense = self.stride == self.dilation == (1, 1)
        if dense or self.bias is not None or self.weight.dtype != torch.float32 or not gains(x):
            answer: Tensor = self._conv_forward(x, self.weight, self.bias)
            return answer
        # oneDNN has no fast bfloat16 gradient of a strided or atrous depthwise convolution.
        return depthwise(x, self.weight, self.stride, self.dilation, cast(tuple[int, ...], self.padding))


class Normalized(nn.Sequential):
    """A convolution, its batch normalization and its activation, the latter two in one where that is faster."""

    convolution: nn.Module
    norm: nn.Module
    """A `BatchNorm`, or nothing where prediction has folded it into the convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, h, w] for [B, channels, H, W]."""
        x = self.convolution(x)
        activation = getattr(self, "activation", None)
        norm = self.norm
        if isinstance(activation, nn.ReLU | nn.ReLU6) and isinstance(norm, BatchNorm) and norm.is_fast_with(x):
            return norm.normalize_and_cut(x, 0.0, 6.0 if isinstance(activation, nn.ReLU6) else math.inf)
        normalized: Tensor = norm(x)
        return normalized if activation is None else cast(Tensor, activation(normalized))


class ConvNormActivation(Normalized):
    """Convolution without bias, batch normalization, activation; padded so that stride 1 keeps the size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, odd.
        stride: Step of the kernel in pixels.
        rate: Atrous rate, the distance of neighbouring taps in pixels.
        groups: Blocks of channels that do not mix; as many as channels is a depthwise convolution.
        activation: `nn.Identity` for none.
        padded: Whether it is padded at all.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        rate: int = 1,
        groups: int = 1,
        padded: bool = True,
        activation: Activation = nn.ReLU,
    ) -> None:
        convolution_type = DepthwiseConv if groups == in_channels > 1 else Conv2d
        convolution = convolution_type(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=rate * (kernel_size // 2) if padded else 0,
            dilation=rate,
            groups=groups,
            bias=False,
        )
        parts = OrderedDict[str, nn.Module](convolution=convolution, norm=BatchNorm(out_channels))
        if activation is not nn.Identity:
            parts["activation"] = activation(inplace=True)
        super().__init__(parts)


class AtrousSeparableConv(nn.Sequential):
    """A 3x3 convolution in two steps, each normalized and rectified: within channels at a rate, then across them.

    Source: Chen et al. 2018, arXiv:1802.02611, section 3.1. The activation between the steps is that of the authors'
    code (research/deeplab, split separable convolution).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Step of the kernel in pixels.
        rate: Atrous rate.
        activation: Of both steps; `nn.Identity` for none.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        rate: int = 1,
        activation: Activation = nn.ReLU,
    ) -> None:
        depthwise = ConvNormActivation(
            in_channels, in_channels, 3, stride=stride, rate=rate, groups=in_channels, activation=activation
        )
        pointwise = ConvNormActivation(in_channels, out_channels, activation=activation)
        super().__init__(OrderedDict[str, nn.Module](depthwise=depthwise, pointwise=pointwise))


ResizeMode = Literal["half_pixel", "align_corners", "asymmetric"]
"""Where the pixels of two sizes lie on each other: as areas (torch, OpenCV), corner pixel on corner pixel (TensorFlow's
research/deeplab, SMP), or first pixel on first pixel and the others at multiples of the factor (tflite's default)."""


def resize_bilinear(x: Tensor, size: Sequence[int], mode: ResizeMode = "half_pixel") -> Tensor:
    """Return [B, C, H, W] at another (height, width), with bilinear weights."""
    height, width = size
    if list(x.shape[-2:]) == [height, width]:
        return x
    if mode != "asymmetric":
        return F.interpolate(x, size=[height, width], mode="bilinear", align_corners=mode == "align_corners")
    # With one more pixel on both sides of the equation, multiples of the factor are corners on corners.
    one_more = F.pad(x, (0, 1, 0, 1), mode="replicate")
    return resize_bilinear(one_more, (height + 1, width + 1), "align_corners")[..., :height, :width].contiguous()
