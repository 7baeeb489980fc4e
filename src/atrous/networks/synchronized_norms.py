"""Batch normalization by the statistics of all processes of a training."""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks.layers import BatchNorm


class SyncBatchNorm(BatchNorm):
    """Batch normalization by the statistics of all processes, where there are several; on any device.

    torch's own runs on GPUs only and cannot be frozen.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize [B, C, H, W] per channel."""
        alone = not dist.is_initialized() or dist.get_world_size() == 1
        if alone or not self.training or self.frozen:
            return super().forward(x)
        mean, variance, count = _statistics_of_all(x.detach())
        self._remember(mean, variance * count / (count - 1))
        y: Tensor = _NormalizedTogether.apply(x, self.weight, self.bias, mean, variance, count, self.eps)
        return y


def _statistics_of_all(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over all processes, float32 or wider [C], and the number of values.

    Each process sums the squares about its own mean, for a difference of large sums would lose the variance (Chan,
    Golub and LeVeque 1979).
    """
    wide = torch.promote_types(x.dtype, torch.float32)
    one, zero = x.new_ones(x.shape[1], dtype=wide), x.new_zeros(x.shape[1], dtype=wide)  # their type is the statistics'
    _, mean, inverse = torch.native_batch_norm(x, one, zero, None, None, True, 0.0, 0.0)
    count = mean.new_tensor([x.numel() / x.shape[1]])
    variance = torch.where(inverse > 0, inverse.pow(-2), 0.0)  # torch says 0 for the inverse of no deviation
    own = torch.cat([mean, variance, count])
    gathered = own.new_empty(dist.get_world_size(), own.numel())
    dist.all_gather(list(gathered), own)
    (means, variances), counts = gathered[:, :-1].chunk(2, dim=1), gathered[:, -1:]
    count = counts.sum(0)
    mean = (means * counts).sum(0) / count
    variance = ((variances + (means - mean).square()) * counts).sum(0) / count
    return mean, variance, count


class _NormalizedTogether(torch.autograd.Function):
    """Normalization by given statistics, whose gradient knows that they come from the values of all processes."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, *statistics: Any) -> Tensor:
        mean, variance, count, eps = statistics
        context.save_for_backward(x, weight, mean, variance, count)
        context.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, count = context.saved_tensors
        # As if the statistics were constants; then what they add, which depends on the sums over all processes.
        direct, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, context.eps, [True, True, True]
        )
        sums = torch.cat([of_weight, of_bias])
        dist.all_reduce(sums)
        through_variance, through_mean = (sums / count).chunk(2)
        inverse = (variance + context.eps).rsqrt()
        slope = -weight * inverse.square() * through_variance
        offset = -weight * inverse * through_mean - slope * mean
        places = (1, -1, 1, 1)
        whole = direct.to(slope.dtype).addcmul(x.to(slope.dtype), slope.reshape(places)).add_(offset.reshape(places))
        return whole.to(x.dtype), of_weight, of_bias, None, None, None, None


def to_sync_batch_norm(network: nn.Module) -> nn.Module:
    """Return `network`, whose batch normalization now takes its statistics over all processes; parameters are kept.

    Where the parts of other libraries normalize (timm), they go on alone.
    """
    for module in network.modules():
        if type(module) is BatchNorm:
            module.__class__ = SyncBatchNorm  # the same state, read by another forward
    return network
