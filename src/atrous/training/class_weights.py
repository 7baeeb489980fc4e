"""What the pixels of each class weigh in the loss: given by name, or from how often the classes occur."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, assert_never

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from atrous.config import nearest
from atrous.data.faults.balance import balancing_weights
from atrous.data.samples import SegmentationDataset
from atrous.data.share import WHOLE, Share
from atrous.errors import ConfigError
from atrous.labels import LabelSpace
from atrous.progress import Progress, track

Weight = Annotated[float, Field(ge=0)]
ClassWeights = Literal["none", "balanced", "median_frequency", "enet"] | dict[str, Weight]
"""`balanced`: pixels / (classes x pixels of the class), so that every class weighs the same; `median_frequency`: the
same among the pictures that show the class; `enet`: 1 / ln(1.02 + share of the class); or a table of names, in which
those that are left out weigh 1."""

ENET_CONSTANT = 1.02  # keeps the weights between 1.4 and 51


class ClassPixels(NamedTuple):
    """How often the classes of a split occur."""

    own: Sequence[int]
    """The pixels of each class."""
    beside: Sequence[int]
    """All pixels of the pictures that show it, ignored ones too, as in `atrous data check`."""


NOT_COUNTED = ClassPixels((), ())


def weights_of_classes(choice: ClassWeights, labels: LabelSpace, pixels: ClassPixels) -> Tensor | None:
    """Compute the class weights of a choice.

    Source of `enet`: Paszke et al. 2016, arXiv:1606.02147, section 5.2; of `median_frequency`: `balancing_weights`.

    Args:
        choice: What the recipe says.
        labels: The classes.
        pixels: Of the training split; not looked at where weights are given by name.

    Returns:
        float32 [K]; None where all weigh the same. A class without pixels weighs 0, but for `enet`.

    Raises:
        ConfigError: If weights are given to a class that does not exist.
    """
    if choice == "none":
        return None
    if isinstance(choice, dict):
        return _given(choice, labels)
    counts = np.asarray(pixels.own, np.float64)
    match choice:
        case "enet":
            return torch.from_numpy(1 / np.log(ENET_CONSTANT + counts / max(counts.sum(), 1))).float()
        case "balanced":
            weights = np.where(counts > 0, counts.sum() / (len(counts) * np.maximum(counts, 1)), 0.0)
            return torch.from_numpy(weights).float()
        case "median_frequency":
            return torch.tensor([weight or 0.0 for weight in balancing_weights(*pixels)])
        case _:
            assert_never(choice)


def _given(weights: Mapping[str, float], labels: LabelSpace) -> Tensor:
    for name in weights:
        if name not in labels.names:
            raise ConfigError(f"`loss.class_weights`: there is no class `{name}`; {nearest(name, labels.names)}.")
    return torch.tensor([weights.get(name, 1.0) for name in labels.names])


def count_class_pixels(dataset: SegmentationDataset, progress: Progress, share: Share = WHOLE) -> ClassPixels:
    """Count the pixels of a split, or of what falls to one process; reads every sample once.

    Raises:
        ImageError, MaskError: If a file is unreadable.
    """
    own, beside = np.zeros((2, dataset.labels.num_classes), np.int64)
    indices = share.of(len(dataset))
    for index in track(indices, progress, "Counting the pixels of each class", len(indices)):
        mask = dataset[index].mask
        counts = np.bincount(mask.ravel(), minlength=len(own))[: len(own)]
        own += counts
        beside[counts > 0] += mask.size
    return ClassPixels(own.tolist(), beside.tolist())
