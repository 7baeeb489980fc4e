import os
import resource
import subprocess
import sys
from itertools import pairwise

import pytest

from atrous import __version__
from tests.cli.terminal import Terminal

COMMANDS = (
    "demo",
    "fit",
    "train",
    "evaluate",
    "predict",
    "export",
    "serve",
    "crf",
    "data",
    "models",
    "import",
    "doctor",
)
HEAVY = ("torch", "numpy", "cv2", "PIL", "tensorboard", "yaml", "atrous.config")  # Typer itself brings pydantic


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)], ids=str)
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    program = (
        f"import sys; sys.argv = ['atrous', *{command!r}, '--help']\n"
        "from atrous.cli import main\n"
        "try: main()\n"
        f"finally: print('imported:', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == "imported:\n"
    assert "Usage" in done.stdout


def test_a_command_ends_without_a_last_collection_of_what_lives() -> None:
    program = (
        "import atexit, gc, sys; sys.argv = ['atrous', '--version']\n"
        "atexit.register(lambda: print('frozen:', gc.get_freeze_count() > 0))\n"
        "from atrous.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "frozen: True"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "predict"])
def test_help_takes_little_more_than_what_prints_it(command: str) -> None:
    def best(*arguments: str) -> float:
        """Seconds of a processor."""
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        return min(times)

    assert best("-m", "atrous", command, "--help") < 3 * best("-c", "import typer.rich_utils, rich.table")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_paragraphs_of_help_fill_their_lines(
    command: str, width: int, atrous: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = atrous(command, "--help").out
    prose = out.partition("╭")[0].splitlines()[2:]
    assert all(len(line) <= width for line in out.splitlines())
    for line, following in pairwise(prose):
        if line.strip() and following.strip():  # else the paragraph ends here
            assert len(line.rstrip()) + 1 + len(following.split()[0]) >= width - 1, (line, following)


def test_the_bare_command_shows_its_help(atrous: Terminal) -> None:
    shown = atrous()
    assert all(command in shown.out + shown.err for command in COMMANDS)


def test_the_version_is_that_of_the_package(atrous: Terminal) -> None:
    assert atrous("--version") == (0, f"atrous {__version__}\n", "")


def test_python_m_atrous_is_the_command(atrous: Terminal) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "atrous", "predict", "none.safetensors", "none.jpg"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    here = atrous("predict", "none.safetensors", "none.jpg")
    assert (done.returncode, done.stdout, done.stderr) == here == (1, "", here.err)
