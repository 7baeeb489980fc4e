"""Trackers of experiments, where they are installed: Weights & Biases and MLflow get every row of the log.

Where they send it to is theirs to know: WANDB_PROJECT, WANDB_MODE, MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, assert_never

from atrous.errors import ConfigError
from atrous.files import make_folder, write_text
from atrous.progress import Progress

TrackerName = Literal["wandb", "mlflow"]


class Tracker(Protocol):
    """One of them, with one run open in it."""

    identity: str
    """By which a resumed training finds its run again."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send the values of a step."""

    def close(self) -> None:
        """Send what is left, and end the run."""


def require_installed(names: Sequence[TrackerName]) -> None:
    """Refuse trackers that are not there.

    Raises:
        ConfigError: It names the first, and how to get it.
    """
    for name in names:
        try:
            import_module(name)
        except ImportError:
            raise ConfigError(
                f"`training.trackers`: {name} is not installed: run `pip install {name}`, or leave it out."
            ) from None


class Trackers:
    """Those of a training; one that fails is left alone from then on, for no training should end by that."""

    def __init__(self, trackers: Mapping[TrackerName, Tracker], progress: Progress) -> None:
        """Take what `tracking` has opened."""
        self._alive, self._progress = dict(trackers), progress

    def log(self, row: Mapping[str, float]) -> None:
        """Send one row of the log."""
        values = {name: value for name, value in row.items() if name != "step"}
        for name, tracker in list(self._alive.items()):
            with self._forgiving(name):
                tracker.log(values, int(row["step"]))

    def close(self) -> None:
        """End them all."""
        for name, tracker in list(self._alive.items()):
            with self._forgiving(name):
                tracker.close()

    @contextmanager
    def _forgiving(self, name: TrackerName) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a service, its client or the way to it can do
            self._alive.pop(name, None)
            self._progress.say(f"{name} gets no more of this run ({' '.join(str(error).split())}).")


@contextmanager
def tracking(
    names: Sequence[TrackerName], title: str, settings: Mapping[str, Any], place: Path, progress: Progress
) -> Iterator[Trackers]:
    """Open the trackers of a training, and close them behind it.

    Args:
        names: Which.
        title: What the run is called there.
        settings: The recipe, in plain values.
        place: The file that remembers their runs, so that a resumed training goes on in the same.
        progress: Where a tracker that fails is named.

    Raises:
        ConfigError: If a tracker cannot begin, for want of a login or a connection.
    """
    known = _identities(place)
    opened = {name: _open(name, title, settings, known.get(name), place.parent) for name in dict.fromkeys(names)}
    if opened:
        write_text(place, json.dumps({name: tracker.identity for name, tracker in opened.items()}))
    trackers = Trackers(opened, progress)
    try:
        yield trackers
    finally:
        trackers.close()


def _identities(place: Path) -> dict[str, str]:
    """The runs of an interrupted training; none where it had none, or the file was damaged."""
    try:
        return dict(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _open(name: TrackerName, title: str, settings: Mapping[str, Any], identity: str | None, folder: Path) -> Tracker:
    try:
        match name:
            case "wandb":
                return _WeightsAndBiases(title, settings, identity, folder)
            case "mlflow":
                return _MLflow(title, settings, identity)
            case _:
                assert_never(name)
    except Exception as error:
        raise ConfigError(
            f"`training.trackers`: {name} cannot begin ({' '.join(str(error).split())}): mend that, or leave it out."
        ) from error


class _WeightsAndBiases:
    """https://docs.wandb.ai/ref/python/init."""

    def __init__(self, title: str, settings: Mapping[str, Any], identity: str | None, folder: Path) -> None:
        wandb = import_module("wandb")
        place = str(make_folder(folder).resolve())
        self._run = wandb.init(name=title, config=dict(settings), dir=place, id=identity, resume="allow")
        self.identity = str(self._run.id)

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """https://mlflow.org/docs/latest/python_api/mlflow.html."""

    def __init__(self, title: str, settings: Mapping[str, Any], identity: str | None) -> None:
        self._mlflow = import_module("mlflow")
        run = self._mlflow.start_run(run_id=identity) if identity else self._mlflow.start_run(run_name=title)
        self.identity = str(run.info.run_id)
        if identity is None:
            self._mlflow.log_dict(dict(settings), "recipe.json")

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        self._mlflow.end_run()
