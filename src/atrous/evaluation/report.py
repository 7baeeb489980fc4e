"""What an evaluation says: scores, and the protocol without which they mean nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pydantic
from pydantic import Field

from atrous.config import Config, parse
from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError
from atrous.files import write_text
from atrous.labels import LabelSpace


class Protocol(Config):
    """How scores were obtained; two scores with different protocols are not comparable."""

    dataset: str
    split: str
    pictures: int
    sizes: str
    """The sizes of the pictures, width x height, at which predictions were compared: always each picture's own."""
    ignore: str
    """Which pixels were left out."""
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    output_stride: int
    precision: Literal["float32", "bfloat16", "int8"]
    crf: DenseCRFConfig | None = None
    """What refined the predictions, if anything."""
    fingerprint: str
    """Hash of the split's files (`SegmentationDataset.fingerprint`)."""


Interval = tuple[float, float]
"""A score lies in it with a confidence of 95 %, by a bootstrap over the pictures (`bootstrap.py`)."""


class ClassScore(Config):
    """The scores of one class, each 0..1; None where the class occurs neither in truth nor in prediction."""

    name: str
    iou: float | None
    dice: float | None
    accuracy: float | None
    """The share of the class's true pixels that were found; None without true pixels."""
    precision: float | None = None
    """The share of the class's predicted pixels that are right; None without predicted pixels."""
    recall: float | None = None
    """The same number as the accuracy, by its other name."""
    boundary_iou: float | None = None
    true_pixels: int
    predicted_pixels: int
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """By the score's name, such as `iou`; empty for a single picture."""


class Scores(Config):
    """The scores of a split, each 0..1, from sums over all of its pixels."""

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float
    mean_dice: float
    mean_boundary_iou: float | None = None
    """None where only a confusion matrix is known."""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """By the score's name, such as `mean_iou`; empty for a single picture."""
    classes: tuple[ClassScore, ...]
    absent: tuple[str, ...]
    """Classes that occur neither in truth nor in prediction; they are left out of the means."""


class TrimapPoint(Config):
    """The mean IoU of the pixels near a true boundary."""

    width: int
    """Pixels from the boundary, at most."""
    mean_iou: float | None
    interval: Interval | None = None
    pixels: int


class SizeScore(Config):
    """The mean IoU of connected areas of one size."""

    name: str
    at_least: int
    """Pixels of an area."""
    below: int | None
    mean_iou: float | None
    interval: Interval | None = None
    pixels: int
    """That truly lie in such areas."""


class ReliabilityBin(Config):
    """Pixels whose largest probability lies in (from, to]."""

    start: float
    stop: float
    pixels: int
    confidence: float | None
    """Their mean largest probability."""
    accuracy: float | None
    """The share of them that is right."""


class Calibration(Config):
    """Whether a probability of 80 % is right in 80 % of the cases."""

    error: float
    """The expected calibration error: |accuracy - confidence| of the bins, weighted by their pixels."""
    interval: Interval | None = None
    bins: tuple[ReliabilityBin, ...]


class EvaluationReport(Config):
    """The content of `report.json`."""

    format: Literal["atrous-report-1"] = "atrous-report-1"
    model: str
    protocol: Protocol
    scores: Scores
    labels: LabelSpace
    confusion: tuple[tuple[int, ...], ...] = Field(repr=False)
    """Pixels by true class (row) and predicted class (column)."""
    trimap: tuple[TrimapPoint, ...] = ()
    sizes: tuple[SizeScore, ...] = ()
    calibration: Calibration | None = None
    """None where the predictions are labels without probabilities."""
    pictures: dict[str, str] = Field(default_factory=dict, repr=False)
    """For each picture the classes that occur in it, in the order of the split: `class found true predicted; ...`."""


class ClassPixels(NamedTuple):
    """What a picture's line says of one class."""

    label: int
    found: int
    true: int
    predicted: int


def picture_line(classes: Iterable[ClassPixels]) -> str:
    """The pixels of a picture in one line of a report."""
    return "; ".join(" ".join(map(str, each)) for each in classes)


def read_picture_line(line: str) -> list[ClassPixels]:
    """What `picture_line` wrote.

    Raises:
        ValueError: If it is no such line.
    """
    found = [ClassPixels(*map(int, part.split(" "))) for part in line.split("; ") if line]
    if any(min(each) < 0 for each in found):
        raise ValueError(f"numbers of pixels are not negative: {line!r}")
    return found


def describe_crf(crf: DenseCRFConfig | None) -> str:
    """A dense CRF in words, for those who read a protocol."""
    if crf is None:
        return "none"
    compatibility = "Potts" if crf.compatibility is None else "own compatibility"
    return (
        f"{crf.iterations} iterations, {compatibility}; smoothness {crf.weight_smooth:g} "
        f"within {crf.position_std_smooth:g} px, appearance {crf.weight_appearance:g} "
        f"within {crf.position_std_appearance:g} px and {crf.color_std:g} levels"
    )


def write_report(path: Path, report: EvaluationReport) -> None:
    """Write `report.json`."""
    write_text(path, report.model_dump_json(indent=2) + "\n")


def read_report(path: Path) -> EvaluationReport:
    """Read a `report.json`.

    Raises:
        ConfigError: If it is none.
    """
    try:
        data: Any = pydantic.TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        raise ConfigError(
            f"{path} is no report of atrous: give the report.json that `atrous evaluate` wrote."
        ) from None
    report: EvaluationReport = parse(EvaluationReport, data, str(path))
    return report
