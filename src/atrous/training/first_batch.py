"""The first batch, drawn as it enters the network: what is wrong with data is seen before anything is learned."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from atrous.data.loading import Batch
from atrous.labels import LabelSpace, Mask
from atrous.networks.segmentation import PixelScale
from atrous.visualization import Panel, hatch_ignored, overlay, side_by_side

MOST_DRAWN = 8
PER_ROW = 4
WIDEST = 320
"""Pixels of one panel."""


@torch.no_grad()
def as_entered(pixels: PixelScale, image: torch.Tensor) -> NDArray[np.uint8]:
    """What the network gets, seen as pictures again: its own scaling of the pixels is applied and undone.

    Args:
        pixels: The network's scaling.
        image: uint8 [B, bands, H, W].

    Returns:
        uint8 [B, H, W, 3]; of more bands than three the first three, of fewer the first one thrice.
    """
    entered = pixels(image.to(pixels.mean.device).float() / 255)
    entered = entered.flip(1) if pixels.order == "bgr" else entered
    seen = (entered * pixels.std + pixels.mean)[:, :3] * 255
    seen = seen if seen.shape[1] == 3 else seen[:, :1].expand(-1, 3, -1, -1)
    rounded: NDArray[np.uint8] = seen.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    return rounded


def draw_batch(batch: Batch, pixels: PixelScale, labels: LabelSpace) -> NDArray[np.uint8]:
    """Draw a batch: above each picture as it enters the network, below its mask over it, what is ignored hatched.

    Returns:
        uint8 [h, w, 3].
    """
    pictures = as_entered(pixels, batch.image[:MOST_DRAWN])
    masks = batch.mask[:MOST_DRAWN].cpu().numpy()
    rows: list[list[Panel]] = []
    for start in range(0, len(pictures), PER_ROW):
        chosen = range(start, min(start + PER_ROW, len(pictures)))
        rows.append([Panel(f"picture {number + 1}", _small(pictures[number])) for number in chosen])
        rows.append([Panel("", _small(_under_mask(pictures[number], masks[number], labels))) for number in chosen])
    return side_by_side(rows, labels)


def _under_mask(picture: NDArray[np.uint8], mask: NDArray[np.generic], labels: LabelSpace) -> NDArray[np.uint8]:
    labelled: Mask = mask.astype(labels.mask_dtype)
    return hatch_ignored(overlay(picture, labelled, labels), labelled, labels)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    factor = min(1.0, WIDEST / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return picture if factor == 1 else np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
