"""What TensorBoard shows beside the columns of the log: pictures, every learning rate, the graph."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from atrous.evaluation.example_cards import Example
from atrous.labels import LabelSpace
from atrous.networks import SegmentationNetwork
from atrous.training.averaging import begin_average
from atrous.visualization import Panel, error_map, overlay, side_by_side

WIDEST = 384
"""Pixels of one panel: they are to be looked at beside each other, and there is one sheet per validation."""


def write_pictures(events: SummaryWriter, step: int, examples: Sequence[Example], labels: LabelSpace) -> None:
    """Show each example under its name: the picture, its truth, the prediction and where that is wrong."""
    for example in examples:
        events.add_image(f"val/{example.name}", sheet(example, labels), step, dataformats="HWC")


def sheet(example: Example, labels: LabelSpace) -> NDArray[np.uint8]:
    """Picture, truth, prediction and errors side by side, uint8 [h, w, 3], with the classes underneath."""
    image, truth, prediction = example.image, example.truth, example.prediction
    panels = {
        "picture": image,
        "truth": overlay(image, truth, labels),
        "prediction": overlay(image, prediction, labels),
        "errors": error_map(image, truth, prediction, labels),
    }
    return side_by_side([[Panel(caption, _small(picture)) for caption, picture in panels.items()]], labels)


def write_learning_rates(events: SummaryWriter, step: int, optimizer: torch.optim.Optimizer) -> None:
    """Show the rate of each group, named by how many times the first one's it is; read from the live object."""
    groups = optimizer.param_groups
    first = groups[0]["base_learning_rate"]
    rates = {group["base_learning_rate"] / first: group["lr"] for group in groups}
    for times, rate in rates.items():
        events.add_scalar(f"learning_rates/{times:g}x", rate, step)


def write_graph(events: SummaryWriter, network: SegmentationNetwork, size: tuple[int, int]) -> None:
    """Show the network's graph, as it answers for a picture of a size (height, width)."""
    copy = begin_average(network).cpu().float()
    image = torch.zeros(1, copy.pixels.mean.shape[1], *size)
    with warnings.catch_warnings():  # TensorBoard traces with what torch has deprecated, and torch says so at length
        warnings.simplefilter("ignore")
        events.add_graph(copy, image)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if width <= WIDEST:
        return picture
    size = (WIDEST, max(1, round(height * WIDEST / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
