"""Data sets of a few small pictures, a network that reads their classes off their colours, and what an error says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from atrous.data.samples import Sample, SegmentationDataset
from atrous.errors import AtrousError
from atrous.images import write_image, write_mask
from atrous.labels import LabelSpace, Mask
from atrous.networks.backbones import Backbone
from atrous.networks.segmentation import PixelScale, SegmentationNetwork

LABELS = LabelSpace.from_names(["ground", "cat", "dog"])


class InMemory(SegmentationDataset):
    """Samples that are there already."""

    def __init__(self, samples: Sequence[Sample], labels: LabelSpace = LABELS, split: str = "train") -> None:
        self.samples, self.labels, self.split, self.title = samples, labels, split, "tiny"

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def source_of(self, index: int) -> str:
        return f"{self.samples[index].name}.png"

    def fingerprint(self) -> str:
        return f"fingerprint of {self.split}"


class Colours(Backbone):
    """A backbone that returns its image."""

    channels = (3,)
    strides = (1,)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image]


class Finest(nn.Module):
    """A decoder that returns the finest level."""

    def forward(self, context: Tensor, levels: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        return levels[0]


def network_that_knows_colours(labels: LabelSpace) -> SegmentationNetwork:
    """Its largest logit is that of the class whose colour is nearest: -|x - c|² without its |x|² is linear in x."""
    colours = torch.tensor(labels.colors) / 255
    classifier = nn.Conv2d(3, labels.num_classes, kernel_size=1)
    with torch.no_grad():
        classifier.weight.copy_(2 * colours[:, :, None, None])
        assert classifier.bias is not None
        classifier.bias.copy_(-(colours**2).sum(dim=1))
    pixels = PixelScale((0, 0, 0), (1, 1, 1), "rgb")
    return SegmentationNetwork(pixels, Colours(), nn.Identity(), Finest(), classifier)


def random_mask(size: tuple[int, int], seed: int, labels: LabelSpace = LABELS) -> Mask:
    """Classes and the ignore value, each as likely."""
    values = np.array([*range(labels.num_classes), labels.ignore_index], labels.mask_dtype)
    mask: Mask = np.random.default_rng(seed).choice(values, size)
    return mask


def painted(mask: Mask, name: str, labels: LabelSpace = LABELS) -> Sample:
    """The sample whose picture shows the colours of its mask."""
    return Sample(labels.color_table[mask], mask, name)


def noise(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def write_pairs(root: Path, split: str, count: int, size: tuple[int, int] = (8, 12)) -> None:
    """Write pictures and palette masks as images/<split> and masks/<split>."""
    for index in range(count):
        write_image(root / "images" / split / f"{index:02}.png", noise(size, index))
        write_mask(root / "masks" / split / f"{index:02}.png", random_mask(size, index), LABELS)


def one_sentence(error: AtrousError) -> str:
    """The text of an error that a user can read: one line, not too long, with a full stop."""
    text = str(error)
    assert "\n" not in text
    assert text.endswith((".", " more after this one.)"))
    assert len(text) < 1000
    assert "Traceback" not in text
    return text
