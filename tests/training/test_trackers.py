"""Weights & Biases and MLflow, each played by an object that writes down what it is told."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atrous.errors import ConfigError
from atrous.training.logs import read_log
from atrous.training.train import train
from tests.training.runs import small_recipe
from tests.training.test_resume import SignalAfter


class Heard:
    """What both trackers were told, and the modules that tell it."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.recipes: list[dict[str, Any]] = []
        self.ended = 0

    def log(self, values: dict[str, float], step: int) -> None:
        self.rows.append((step, values))

    def end(self) -> None:
        self.ended += 1

    def wandb(self) -> SimpleNamespace:
        def init(**named: Any) -> SimpleNamespace:
            self.begun.append(named)
            return SimpleNamespace(id=named["id"] or "fresh", log=self.log, finish=self.end)

        return SimpleNamespace(init=init)

    def mlflow(self) -> SimpleNamespace:
        def start_run(**named: Any) -> SimpleNamespace:
            self.begun.append(named)
            return SimpleNamespace(info=SimpleNamespace(run_id=named.get("run_id", "fresh")))

        return SimpleNamespace(
            start_run=start_run,
            log_metrics=self.log,
            log_dict=lambda values, _: self.recipes.append(values),
            end_run=self.end,
        )


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    heard = Heard()
    monkeypatch.setitem(sys.modules, "wandb", heard.wandb())
    monkeypatch.setitem(sys.modules, "mlflow", heard.mlflow())
    return heard


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_gets_every_row_of_the_log(name: str, heard: Heard, tmp_path: Path) -> None:
    recipe = small_recipe(training={"trackers": [name]})
    folder = train(recipe, tmp_path).folder
    numbers = [row for row in read_log(folder.jsonl) if "warning" not in row]
    assert [{"step": step, **values} for step, values in heard.rows] == numbers
    assert heard.ended == 1
    (settings,) = heard.recipes or [begun["config"] for begun in heard.begun]
    assert settings["optimizer"]["learning_rate"] == 0.05


@pytest.mark.parametrize(("name", "key"), [("wandb", "id"), ("mlflow", "run_id")])
def test_a_resumed_training_goes_on_in_the_same_run(name: str, key: str, heard: Heard, tmp_path: Path) -> None:
    recipe = small_recipe(training={"trackers": [name]})
    train(recipe, tmp_path, progress=SignalAfter(2))
    train(recipe, tmp_path, resume=True)
    train(recipe, tmp_path, overwrite=True)
    assert [begun.get(key) for begun in heard.begun] == [None, "fresh", None]


def test_a_tracker_that_fails_ends_no_training_and_is_named_once(heard: Heard, tmp_path: Path) -> None:
    said: list[str] = []

    class Listening(SignalAfter):
        def say(self, text: str) -> None:
            said.append(text)

    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError("the server\nis gone")

    sys.modules["mlflow"].log_metrics = fails  # type: ignore[attr-defined]
    result = train(small_recipe(training={"trackers": ["mlflow", "wandb"]}), tmp_path, progress=Listening(99))
    assert result.finished
    assert [text for text in said if "mlflow" in text] == ["mlflow gets no more of this run (the server is gone)."]
    assert len(heard.rows) == 10


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"pip install {name}"):
        train(small_recipe(training={"trackers": [name]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_cannot_begin_is_one_sentence(heard: Heard, tmp_path: Path) -> None:
    def fails(**_: Any) -> None:
        raise ConnectionError("no\nway")

    sys.modules["wandb"].init = fails  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"wandb cannot begin \(no way\)"):
        train(small_recipe(training={"trackers": ["wandb"]}), tmp_path)
    assert not heard.begun
