"""The list of suspects as files: JSON and CSV, and their pictures for the program in which they are corrected."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from atrous.data.chosen import ChosenSamples
from atrous.data.export import ExportFormat, export_dataset
from atrous.data.samples import SegmentationDataset
from atrous.evaluation.suspects import Suspect, pictures_of
from atrous.files import write_text
from atrous.labels import LabelSpace
from atrous.progress import Progress

COLUMNS = (
    "place",
    "picture",
    "given",
    "predicted",
    "left",
    "top",
    "right",
    "bottom",
    "pixels",
    "width",
    "given_probability",
    "predicted_probability",
    "denied",
    "evidence",
    "label",
)


def write_suspects_csv(path: Path, suspects: Sequence[Suspect], labels: LabelSpace) -> None:
    """Write one line per suspect, the most suspicious first.

    Raises:
        OutputError: If the place cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(place, suspect, labels) for place, suspect in enumerate(suspects, start=1))
    write_text(path, _as_text(text.getvalue()))


def write_suspects_json(path: Path, suspects: Sequence[Suspect], dataset: SegmentationDataset, model: str) -> None:
    """Write who judged what, and the suspects with the names of their columns, the most suspicious first.

    Raises:
        OutputError: If the place cannot be written.
    """
    rows = (_row(place, suspect, dataset.labels) for place, suspect in enumerate(suspects, start=1))
    content = {
        "model": model,
        "dataset": dataset.title,
        "split": dataset.split,
        "pictures": len(dataset),
        "suspects": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
    }
    write_text(path, _as_text(json.dumps(content, indent=1, ensure_ascii=False)))


def export_suspects(
    suspects: Sequence[Suspect],
    dataset: SegmentationDataset,
    folder: Path,
    kind: ExportFormat,
    progress: Progress | None = None,
) -> int:
    """Write the pictures of some suspects with their labels as polygons, in the order of the suspects.

    Returns:
        How many pictures they are.

    Raises:
        OutputError: If the place cannot be written or is not empty.
        AtrousError: If a sample cannot be read.
    """
    chosen = ChosenSamples(dataset, pictures_of(suspects))
    export_dataset([chosen], folder, kind, progress=progress)
    return len(chosen)


def _row(place: int, suspect: Suspect, labels: LabelSpace) -> tuple[int | float | str, ...]:
    region = suspect.region
    return (
        place,
        suspect.name,
        labels.names[region.given],
        labels.names[region.predicted],
        *region.box,
        region.pixels,
        round(region.width, 1),
        round(region.given_probability, 4),
        round(region.predicted_probability, 4),
        round(region.denied, 4),
        round(region.evidence, 4),
        suspect.source,
    )


def _as_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # a file's name may be no text
