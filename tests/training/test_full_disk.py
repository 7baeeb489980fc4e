"""A disk that is full at any write is one sentence, older files stay whole, and with room the run goes on."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from atrous.errors import OutputError
from atrous.inference.predictor import load
from atrous.training.run_folder import RunFolder
from atrous.training.run_page import write_run_page
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors
from tests.training.runs import assert_same_tensors, files_below, small_recipe

RECIPE = small_recipe(training={"steps": 4, "validate_every": 2, "keep_every": 3, "save_minutes": 0})


@contextmanager
def no_room() -> Iterator[None]:
    """The system lets no file grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def full_at(place: str, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the n-th call of a function find no room."""
    path, _, name = place.rpartition(".")
    module, _, of = path.partition(":")
    owner: Any = getattr(import_module(module), of) if of else import_module(module)
    original, calls = getattr(owner, name), 0

    def narrow(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call:
            return original(*arguments, **named)
        with no_room():
            return original(*arguments, **named)

    monkeypatch.setattr(owner, name, narrow)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train(RECIPE, tmp_path_factory.mktemp("whole") / "run").folder


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("atrous.training.run_folder.write_text", 1),  # recipe.yaml
        ("atrous.training.run.write_text", 1),  # settings.json
        ("atrous.training.lookout.write_image", 1),  # first_batch.png
        ("atrous.training.logs:RunLog.write", 2),  # log.jsonl
        ("atrous.training.run.save_checkpoint", 1),  # last.safetensors, nothing is there yet
        ("atrous.training.run.save_checkpoint", 3),
        ("atrous.training.run.save_state", 1),
        ("atrous.training.run.save_state", 3),
        ("atrous.training.validation.save_checkpoint", 1),  # best.safetensors
        ("atrous.training.validation.write_report", 1),
        ("atrous.training.train.keep", 3),
    ],
)
def test_no_room_for_a_file_is_one_sentence_and_the_run_goes_on_once_there_is(
    place: str, call: int, whole: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        full_at(place, call, patch)
        with pytest.raises(OutputError, match=r"cannot be written|No space") as caught:
            train(RECIPE, run.path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))
    for file in (run.last, run.best):
        assert not file.exists() or load(file)
    assert train(RECIPE, run.path, resume=run.recipe.exists()).finished
    assert_same_tensors(load_tensors(run.state, "state")[0], load_tensors(whole.state, "state")[0])


def test_no_room_for_events_prints_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    monkeypatch.setattr(threading, "__excepthook__", said.append)
    full_at("atrous.training.logs:RunLog.write", 1, monkeypatch)
    with pytest.raises(OutputError):
        train(RECIPE, tmp_path)
    assert said == []


def test_no_room_for_the_page_leaves_the_finished_run_as_it_is(whole: RunFolder) -> None:
    before = files_below(whole.path)
    with no_room(), pytest.raises(OutputError, match=r"report\.html"):
        write_run_page(whole, RECIPE)
    assert files_below(whole.path) == before
