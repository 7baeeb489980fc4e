"""The page of a check: every kind of fault with pictures of the first ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.check import Checked
from atrous.data.faults.finding import KINDS, SPOILS, Finding, Kind
from atrous.data.pages.environment import write_page
from atrous.data.pages.pictures import RED, picture_uri
from atrous.data.samples import PairedFiles, SegmentationDataset, remap
from atrous.errors import AtrousError
from atrous.images import read_as_is, read_image, read_mask
from atrous.labels import LabelSpace
from atrous.visualization import colorize, overlay

PICTURED = 4  # findings of each kind
LISTED = 100  # findings of each kind; JSON has them all

Colors = NDArray[np.uint8]


class Figure(NamedTuple):
    """A picture with its words."""

    caption: str
    uri: str


class Group(NamedTuple):
    """All findings of one kind."""

    kind: Kind
    spoils: bool
    total: int
    pictured: list[tuple[Finding, list[Figure]]]
    listed: list[Finding]
    unlisted: int


def write_check_page(path: Path, checked: Checked, *, dataset: str) -> None:
    """Write the page of a check.

    Args:
        path: The HTML file; an older one is replaced.
        checked: What was found.
        dataset: DATASET as it was typed, for the command that mends.

    Raises:
        OutputError: If the file cannot be written.
    """
    groups = [_group(kind, findings, checked) for kind, findings in checked.report.by_kind().items()]
    write_page(
        path,
        "check_page.html.j2",
        report=checked.report,
        groups=groups,
        spoiling=[group for group in groups if group.spoils],
        knowing=[group for group in groups if not group.spoils],
        dataset=dataset,
    )


def _group(kind: str, findings: Sequence[Finding], checked: Checked) -> Group:
    pictured = [(finding, list(_figures(finding, checked.datasets))) for finding in findings[:PICTURED]]
    listed = list(findings[PICTURED:LISTED])
    return Group(
        KINDS[kind], KINDS[kind].severity == SPOILS, len(findings), pictured, listed, max(0, len(findings) - LISTED)
    )


def _figures(finding: Finding, datasets: Sequence[SegmentationDataset]) -> Iterator[Figure]:
    by_split = {dataset.split: dataset for dataset in datasets}
    if finding.sample is None or finding.split not in by_split:
        return
    dataset = by_split[finding.split]
    image = _image(dataset, finding.sample)
    if image is not None:
        yield Figure("Picture", picture_uri(image))
    if finding.other is not None:
        yield from _figures_of_other(finding, by_split[finding.other[0]], finding.other[1], image)
        return
    mask = _mask(dataset, finding.sample)
    if mask is not None:
        yield Figure("Mask, red where no class is", picture_uri(mask, finding.pixel, blurs=False))


def _figures_of_other(
    finding: Finding, dataset: SegmentationDataset, sample: int, image: Colors | None
) -> Iterator[Figure]:
    """The picture that looks the same; or, for a mask in the wrong place, both masks over the picture."""
    if finding.kind != "swapped":
        other = _image(dataset, sample)
        if other is not None:
            yield Figure(f"The other one, of {dataset.split}", picture_uri(other))
        return
    assert finding.sample is not None
    for caption, owner in (("With its own mask", finding.sample), ("With the other's mask", sample)):
        mask = _indices(dataset, owner)
        if mask is not None and image is not None and mask.shape == image.shape[:2]:
            yield Figure(caption, picture_uri(overlay(image, mask, dataset.labels)))


def _image(dataset: SegmentationDataset, sample: int) -> Colors | None:
    try:
        picture = dataset.picture_of(sample)
        return dataset[sample].image if picture is None else read_image(picture)
    except AtrousError:  # that it cannot be read is what was found
        return None


def _indices(dataset: SegmentationDataset, sample: int) -> NDArray[np.uint8 | np.uint16] | None:
    """The mask as class indices, or as the colours that a file has in their place."""
    try:
        if isinstance(dataset, PairedFiles) and dataset.read is read_mask:
            pixels = read_as_is(dataset.pairs[sample].mask).pixels
            return pixels if pixels.ndim == 3 else remap(pixels, dataset.values)
        return dataset[sample].mask
    except AtrousError:
        return None


def _mask(dataset: SegmentationDataset, sample: int) -> Colors | None:
    pixels = _indices(dataset, sample)
    if pixels is None:
        return None
    return _with_strays(pixels, dataset.labels) if pixels.ndim == 2 else pixels.astype(np.uint8)


def _with_strays(mask: NDArray[np.uint8 | np.uint16], labels: LabelSpace) -> Colors:
    colors = colorize(mask, labels)
    colors[(mask >= np.intp(labels.num_classes)) & (mask != labels.ignore_index)] = RED
    return colors
