"""A moving average of the weights: it often scores better than the weights themselves, and jumps less."""

import copy

import torch

from atrous.networks import SegmentationNetwork


def begin_average(network: SegmentationNetwork) -> SegmentationNetwork:
    """Copy a network; the copy learns nothing by itself and answers as in prediction."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def decay_at(decay: float, step: int) -> float:
    """The share of the old average that stays at a step, counted from 1: less at the beginning, to forget the start.

    The rule is that of TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    """
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def follow(average: SegmentationNetwork, network: SegmentationNetwork, decay: float, step: int) -> None:
    """Move the average towards the present weights, statistics of norms included.

    Args:
        average: As `begin_average` made it; it is changed.
        network: The network that learns.
        decay: The share of the average that stays.
        step: How many updates were made; it lowers the decay of the first ones.
    """
    share = 1 - decay_at(decay, step)
    for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs, share)
        else:
            mine.copy_(theirs)
