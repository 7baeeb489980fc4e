"""What a training writes down: log.jsonl and log.csv for programs, TensorBoard events for people."""

import csv
import json
from pathlib import Path
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from atrous.files import cannot_write, write_text
from atrous.training.run_folder import RunFolder

Row = dict[str, Any]

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "smoothed_loss",
    "learning_rate",
    "images_per_second",
    "seconds",
    "val_mean_iou",
    "val_pixel_accuracy",
)


class RunLog:
    """The logs of one run; rows are flushed at once, so that a killed run has them all."""

    def __init__(self, folder: RunFolder, step: int) -> None:
        """Open the logs; rows beyond `step`, left by a run that was killed after its last save, are taken out.

        Raises:
            OutputError: If they cannot be written.
        """
        self._folder = folder
        kept = [row for row in read_log(folder.jsonl) if row["step"] <= step]
        write_text(folder.jsonl, "".join(json.dumps(row) + "\n" for row in kept))
        write_text(folder.csv, ",".join(COLUMNS) + "\n")
        try:
            self._jsonl = folder.jsonl.open("a", encoding="utf-8", buffering=1)
            self._csv_file = folder.csv.open("a", encoding="utf-8", newline="", buffering=1)
            self._events = SummaryWriter(str(folder.events), purge_step=step + 1)
        except OSError as error:
            raise cannot_write(folder.path, error) from error
        self._csv = csv.DictWriter(self._csv_file, COLUMNS, restval="")
        self._csv.writerows(kept)

    def write(self, **values: float) -> None:
        """Write one row; every name is one of `COLUMNS`.

        Raises:
            OutputError: If the disk is full.
        """
        row = {name: _rounded(value) for name, value in values.items()}
        try:
            self._jsonl.write(json.dumps(row) + "\n")
            self._csv.writerow(row)
            for name, value in row.items():
                if name not in ("step", "epoch", "seconds"):
                    self._events.add_scalar(name, value, int(values["step"]))
        except OSError as error:
            raise cannot_write(self._folder.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._events, self._jsonl, self._csv_file):
            file.close()


def read_log(path: Path) -> list[Row]:
    """The rows of a log.jsonl; a last line that a crash tore is left out, and so is a missing file."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")
