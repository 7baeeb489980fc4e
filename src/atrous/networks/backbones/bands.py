"""Bands: backbones for grey, near-infrared or multispectral pictures, from weights made for colour ones."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

Bands = Annotated[int, Field(ge=1)]


def adapt_input_channels(weight: Tensor, channels: int) -> Tensor:
    """Return the weights of a first convolution for another number of bands.

    One band gets the sum over the colours, so that a grey picture answers as if it were given in three equal ones.
    Otherwise band i gets the weights of colour i mod 3, times 3 / channels, so that equal bands keep the size of the
    answer; it is kept exactly where the bands are a multiple of three. timm follows the same rule.

    Args:
        weight: float [O, 3, H, W], of a convolution that sees red, green and blue.
        channels: The number of bands that it is to see.

    Returns:
        float [O, channels, H, W]; three bands give `weight` itself.

    Raises:
        ValueError: If `weight` is not for three colours, or there is no band.
    """
    colours = weight.shape[1]
    if colours != 3:
        raise ValueError(f"the weights see {colours} bands, but the rule starts from the 3 of red, green and blue.")
    if channels < 1:
        raise ValueError(f"{channels} bands were asked for, but a picture has 1 or more.")
    if channels == colours:
        return weight
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight[:, torch.arange(channels) % colours] * (colours / channels)
