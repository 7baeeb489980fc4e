"""What can be known of the image without building it: its lines are right, and what it starts answers."""

import json
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import process

ROOT = Path(__file__).parents[1]
LINES = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8")).splitlines()
SECONDS_TO_BEGIN = 120.0


def arguments_of(instruction: str) -> list[str]:
    """What stands behind an instruction, each time that it occurs."""
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{instruction} ")]


def words_of(instruction: str) -> list[str]:
    """The words of an instruction in JSON's form, which runs without a shell and so gets the signals itself."""
    (argument,) = arguments_of(instruction)
    words: list[str] = json.loads(argument[argument.index("[") :])
    return words


def test_it_does_not_run_as_root() -> None:
    (user,) = arguments_of("USER")
    assert user.isdigit()  # so that Kubernetes can see that it is not root
    assert int(user) > 0
    assert LINES.index(f"USER {user}") < LINES.index(next(line for line in LINES if line.startswith("ENTRYPOINT")))


def test_everything_that_is_copied_is_let_in_and_nothing_else() -> None:
    copied = {source for argument in arguments_of("COPY") for source in argument.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_libraries_are_those_of_the_package_at_the_tested_versions() -> None:
    script = next(line for line in arguments_of("RUN") if line.startswith("python -c"))
    _, *words = shlex.split(script.partition(" >")[0])
    found = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert found.stdout.split("\n")[:-1] == project["dependencies"] + project["optional-dependencies"]["serve"]
    fetching = [command for line in arguments_of("RUN") for command in line.split("&&") if "pip install" in command]
    assert all("--constraint constraints.txt" in command for command in fetching[:-1])
    assert fetching[-1].split() == ["pip", "install", "--no-deps", "."]


def test_torch_comes_from_where_pip_looks_and_an_argument_chooses_another_place() -> None:
    assert arguments_of("ARG") == ['TORCH_FROM=""']
    assert any("$TORCH_FROM torch" in line for line in arguments_of("RUN"))


@pytest.mark.slow
def test_what_it_starts_is_found_healthy_by_its_own_check() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program, *options = words_of("ENTRYPOINT") + words_of("CMD")
    assert (program, options[options.index("--host") + 1]) == ("atrous", "0.0.0.0")
    here = [{"0.0.0.0": "127.0.0.1", "8000": port}.get(option, option) for option in options]
    _, *check = (word.replace(":8000/", f":{port}/") for word in words_of("HEALTHCHECK"))
    server = process(*here)
    try:
        end = time.monotonic() + SECONDS_TO_BEGIN
        while subprocess.run([sys.executable, *check], capture_output=True, check=False).returncode:
            assert server.poll() is None, server.communicate()
            assert time.monotonic() < end
            time.sleep(0.2)
    finally:
        server.terminate()
        _, said = server.communicate(timeout=60)
    assert server.returncode == 0, said
