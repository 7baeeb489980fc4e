from pathlib import Path

import pytest

from atrous.evaluation.report import read_report
from atrous.training.train import train
from tests.cli.terminal import Terminal
from tests.training.runs import files_below, small_recipe, write_data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and a run of two steps on it."""
    folder = tmp_path_factory.mktemp("compare")
    train(small_recipe(write_data(folder / "data"), training={"steps": 2}), folder / "run")
    return folder


@pytest.fixture(scope="module")
def grid(run: Path) -> Path:
    """The folder that `atrous bench grid` fills."""
    return run / "grid"


def test_a_grid_has_a_row_and_a_report_for_every_combination(atrous: Terminal, run: Path, grid: Path) -> None:
    model = run / "run" / "best.safetensors"
    code, out, err = atrous(
        "bench", "grid", model, run / "data", "--scales", "0.5,1", "--flip", "--output-strides", "16,8", "-o", grid
    )
    assert (code, err) == (0, "")
    assert len([name for name in files_below(grid) if name.endswith("report.json")]) == 8
    table = (grid / "grid.md").read_text(encoding="utf-8")
    assert table in out
    plain = read_report(grid / "best_os16" / "report.json")
    rows = [line for line in table.splitlines() if line.startswith(f"| {plain.model} |")]
    assert len(rows) == 8
    assert f"| 16 | 1 |  |  | {100 * plain.scores.mean_iou:.2f} |" in rows[0]
    assert "| 8 | 0.5, 1 | ✓ |" in rows[-1]


def test_two_reports_are_compared(atrous: Terminal, grid: Path) -> None:
    code, out, err = atrous(
        "compare", grid / "best_os16", grid / "best_os16_flip" / "report.json", "--differing", "flip"
    )
    assert (code, err) == (0, "")
    assert all(words in out for words in ("mean IoU", "IoU of ground", "IoU of stripe", "B - A", "too narrow to trust"))
    code, quiet, _ = atrous("compare", grid / "best_os16", grid / "best_os16", "--quiet")
    assert quiet.startswith("No difference can be told")


def test_unequal_protocols_are_one_sentence(atrous: Terminal, grid: Path) -> None:
    sentence = atrous.fails("compare", grid / "best_os16", grid / "best_os8")
    assert "their output strides differ: 16 in A and 8 in B" in sentence
    assert "colour" in atrous.fails("compare", grid / "best_os16", grid / "best_os8", "--differing", "colour")
    assert "is no report" in atrous.fails("compare", grid, grid / "best_os8")


def test_strides_that_are_no_numbers_are_one_sentence(atrous: Terminal, run: Path) -> None:
    model = run / "run" / "best.safetensors"
    assert "write 16,8" in atrous.fails("bench", "grid", model, run / "data", "--output-strides", "a")
