"""Batch normalization as part of the convolution before it: the same answers with one pass over memory less."""

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from atrous.networks.segmentation import SegmentationNetwork


def folded(network: SegmentationNetwork) -> SegmentationNetwork:
    """Return a copy for inference, in channels-last memory, whose convolutions do what the norms behind them did.

    A norm is folded where a sequence has it directly behind a convolution; others, such as those of another library
    that are called from its own code, stay as they are and compute the same.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(ready.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    return ready.to(memory_format=torch.channels_last)


def _fold(sequence: nn.Sequential) -> None:
    for (_, first), (name, second) in pairwise(list(sequence.named_children())):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.modules.batchnorm._BatchNorm):
            fold_into(first, second)
            setattr(sequence, name, nn.Identity())


def fold_into(convolution: nn.Conv2d, norm: nn.modules.batchnorm._BatchNorm) -> None:
    """Give the convolution the weights of both, computed in float64 and rounded once.

    Raises:
        ValueError: If the norm keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a norm without running statistics depends on its batch, and cannot be folded")

    def exact(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.detach().double()

    weight, bias = fuse_conv_bn_weights(
        convolution.weight.detach().double(),
        exact(convolution.bias),
        norm.running_mean.double(),
        norm.running_var.double(),
        norm.eps,
        exact(norm.weight),
        exact(norm.bias),
    )
    kind = convolution.weight.dtype
    convolution.weight = nn.Parameter(weight.to(kind), requires_grad=False)
    convolution.bias = nn.Parameter(bias.to(kind), requires_grad=False)
