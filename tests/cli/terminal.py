"""Commands as a terminal runs them, in this process: what they print and the code they leave with."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from atrous.cli import main


class Result(NamedTuple):
    """What a command left in the terminal."""

    code: int
    out: str
    err: str


class Terminal:
    """Runs `atrous` with arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["atrous", *map(str, arguments)])
        self._capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as error:
            code = error.code
        out, err = self._capsys.readouterr()
        return Result(code if isinstance(code, int) else 0 if code is None else 1, out, err)

    def fails(self, *arguments: object) -> str:
        """The sentence of a command that a user got wrong: exit code 1, one line on standard error, no traceback."""
        code, _, err = self(*arguments)
        assert code == 1
        assert err.startswith("Error: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "Traceback" not in err
        return err


def process(*arguments: object, cwd: Path | None = None) -> "subprocess.Popen[str]":
    """The command as a process of its own group."""
    return subprocess.Popen(
        [sys.executable, "-m", "atrous", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
