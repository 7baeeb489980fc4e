"""The code blocks of the documents run: what a reader would type works, in the order in which it stands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from atrous.images import write_image
from tests.inference.videos import write_video

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>sh|python)(?P<mark>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    code: str


def blocks_of(document: Path) -> list[Block]:
    """The code blocks that a reader can run; those marked `no-run` need what a test has not."""
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return [Block(match["language"], match["code"]) for match in found if "no-run" not in match["mark"]]


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has after `make demo`, but barely trained."""
    place = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "atrous", "demo", "--steps", "6", "--output", "demo"]
    subprocess.run(command, cwd=place, env=environment(), check=True, capture_output=True)
    return place / "demo"


@pytest.fixture
def desk(demo: Path, tmp_path: Path) -> Path:
    """A folder with what the documents speak of: demo/, recipes/, a photo and a video."""
    shutil.copytree(demo, tmp_path / "demo")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    photo = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    write_image(tmp_path / "photo.jpg", photo)
    write_video(tmp_path / "street.mp4", [photo[:, left : left + 128] for left in range(8)], sound="aac")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_code_of_a_document_runs_in_its_order(document: Path, desk: Path) -> None:
    for language, code in blocks_of(document):
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
        run = subprocess.run(command, cwd=desk, env=environment(), capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{document.name}:\n{code}\n{run.stdout}\n{run.stderr}"


def test_every_document_has_code_that_runs() -> None:
    assert all(blocks_of(document) for document in DOCUMENTS)


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name
)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_architecture_names_every_file_of_the_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "atrous"
    rooms = [path for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    for room in rooms:
        assert f"{room.name}/" in text
    files = [path for path in package.rglob("*.py") if not path.name.startswith("__")]
    listed = [path for path in files if path.parent.name not in ("cli", "street")]
    assert [str(path.relative_to(package)) for path in listed if path.name not in text] == []
