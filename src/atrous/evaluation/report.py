"""What an evaluation says: scores, and the protocol without which they mean nothing."""

from pathlib import Path
from typing import Any, Literal

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


class ClassScore(Config):
    """The scores of one class, each 0..1; None where the class occurs neither in truth nor in prediction."""

    name: str
    iou: float | None
    dice: float | None
    accuracy: float | None
    """The share of the class's true pixels that were found (recall); None without true pixels."""
    true_pixels: int
    predicted_pixels: int


class Scores(Config):
    """The scores of a split, each 0..1, from one confusion matrix over all of its pixels."""

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float
    mean_dice: float
    classes: tuple[ClassScore, ...]
    absent: tuple[str, ...]
    """Classes that occur neither in truth nor in prediction; they are left out of the means."""


class EvaluationReport(Config):
    """The content of `report.json`."""

    format: Literal["atrous-report-1"] = "atrous-report-1"
    model: str
    protocol: Protocol
    scores: Scores
    labels: LabelSpace
    confusion: tuple[tuple[int, ...], ...] = Field(repr=False)
    """Pixels by true class (row) and predicted class (column)."""


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
