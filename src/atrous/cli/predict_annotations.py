"""What `atrous predict` writes for people who correct it: all pictures together, the most uncertain first."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from atrous.images import ReadableFile
    from atrous.inference.predictor import Prediction
    from atrous.labels import LabelSpace

TOGETHER = {"cvat": "annotations.xml", "coco": "annotations.json"}
"""What can be written for all pictures together, from their masks."""
FOR_ANNOTATORS = ("labelme", *TOGETHER)
UNCERTAINTY = "uncertainty.csv"


class Done(NamedTuple):
    """A picture that was predicted."""

    picture: "ReadableFile"
    mask: Path
    uncertainty: float | None
    """0..1, computed for annotators alone; unknown where --resume found the picture done."""


def uncertainty_for(wanted: list[str], prediction: "Prediction") -> float:
    """How unsure the network is of a picture, where the words of --save ask for what people correct; else 0."""
    if not any(word in FOR_ANNOTATORS for word in wanted):
        return 0.0
    from atrous.inference.uncertainty import uncertainty

    return uncertainty(prediction.probabilities)


def save_for_annotators(done: list[Done], output: Path, wanted: list[str], labels: "LabelSpace") -> None:
    """Write what all pictures share, from the masks of those that could be read; the most uncertain come first.

    Raises:
        OutputError: If a place cannot be written.
    """
    if not done or not any(word in FOR_ANNOTATORS for word in wanted):
        return
    from atrous.data.labelled import LabelledImage
    from atrous.data.to_coco import write_coco
    from atrous.data.to_cvat import write_cvat
    from atrous.images import read_mask

    hardest_first = sorted(done, key=lambda one: math.inf if one.uncertainty is None else -one.uncertainty)
    for word, name in TOGETHER.items():
        if word in wanted:
            images = (LabelledImage(one.picture.name, read_mask(one.mask)) for one in hardest_first)
            write = write_cvat if word == "cvat" else write_coco
            write(output / name, output.resolve().name, images, labels)
    _write_uncertainty(output / UNCERTAINTY, hardest_first)


def _write_uncertainty(path: Path, hardest_first: list[Done]) -> None:
    """Write the pictures with their uncertainty as CSV."""
    import csv
    import io

    from atrous.files import write_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("picture", "uncertainty"))
    for one in hardest_first:
        writer.writerow((one.picture.name, "" if one.uncertainty is None else f"{one.uncertainty:.4f}"))
    write_text(path, text.getvalue().encode("utf-8", "replace").decode("utf-8"))  # a file's name may be no text
