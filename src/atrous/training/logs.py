"""What a training writes down: log.jsonl and log.csv for programs, TensorBoard events for people."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from atrous.files import cannot_write, write_text
from atrous.training.run_folder import RunFolder
from atrous.training.trackers import Trackers

Row = dict[str, Any]

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "smoothed_loss",
    "learning_rate",
    "gradient_norm",
    "images_per_second",
    "seconds",
    "data_wait",
    "memory_gigabytes",
    "gpu_memory_gigabytes",
    "val_mean_iou",
    "val_mean_dice",
    "val_pixel_accuracy",
    "val_mean_accuracy",
    "val_frequency_weighted_iou",
    "train_mean_iou",
    "warning",
)


class RunLog:
    """The logs of one run; rows are flushed at once, so that a killed run has them all."""

    def __init__(self, folder: RunFolder, step: int = 0, validated: int = -1, trackers: Trackers | None = None) -> None:
        """Open the logs and take out the rows of work that a killed run did after its last save.

        Args:
            folder: The run's.
            step: How many steps were saved.
            validated: The last step whose validation was saved.
            trackers: Who else gets every row.

        Raises:
            OutputError: If they cannot be written.
        """
        self._folder, self._trackers = folder, trackers
        kept = [row for row in read_log(folder.jsonl) if row["step"] <= (validated if _is_validation(row) else step)]
        write_text(folder.jsonl, "".join(json.dumps(row) + "\n" for row in kept))
        write_text(folder.csv, _csv_text(kept))
        try:
            self._jsonl = folder.jsonl.open("a", encoding="utf-8", buffering=1)
            self._csv = folder.csv.open("a", encoding="utf-8", newline="", buffering=1)
            self.events = SummaryWriter(str(folder.events), purge_step=step + 1)
            self._older_hook, threading.excepthook = threading.excepthook, _say_nothing_of_events
        except OSError as error:
            raise cannot_write(folder.path, error) from error

    def write(self, **values: float) -> None:
        """Write one row; every name is one of `COLUMNS`.

        Raises:
            OutputError: If the disk is full.
        """
        row = {name: _rounded(value) for name, value in values.items()}
        with self.writing():
            self._jsonl.write(json.dumps(row) + "\n")
            self._csv.write(_csv_text([row], header=False))
            for name, value in row.items():
                if name not in ("step", "epoch", "seconds"):
                    self.events.add_scalar(name, value, int(values["step"]))
        if self._trackers is not None:
            self._trackers.log(row)

    def warn(self, step: int, cause: str, sentence: str, *, validated: bool) -> None:
        """Write a row with a warning, found by a validation or by a step.

        Raises:
            OutputError: If the disk is full.
        """
        row = {"step": step, "warning": sentence, "cause": cause, "validated": validated}
        with self.writing():
            self._jsonl.write(json.dumps(row) + "\n")
            self._csv.write(_csv_text([row], header=False))
            self.events.add_text("warnings", sentence, step)

    @contextmanager
    def writing(self) -> Iterator[SummaryWriter]:
        """Write to the events of TensorBoard in this block.

        Raises:
            OutputError: If the disk is full.
        """
        try:
            yield self.events
        except OSError as error:
            raise cannot_write(self._folder.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self.writing(), closing(self._jsonl), closing(self._csv), closing(self.events):
                pass
        finally:
            threading.excepthook = self._older_hook


def _say_nothing_of_events(arguments: threading.ExceptHookArgs) -> None:
    """The thread that writes events prints a traceback where the disk is full, which `writing` says in a sentence."""
    if not isinstance(arguments.exc_value, OSError):
        threading.__excepthook__(arguments)


def read_log(path: Path) -> list[Row]:
    """The rows of a log.jsonl; a last line that a crash tore is left out, and so is a missing file."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _is_validation(row: Row) -> bool:
    return "val_mean_iou" in row or bool(row.get("validated"))


def _csv_text(rows: list[Row], *, header: bool = True) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")
