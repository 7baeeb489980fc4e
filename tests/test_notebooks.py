"""The notebooks in examples/ run from their first cell to their last, as a reader would run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))

RUNNER = '''
import ast, json, sys

def shown(value):
    """What a notebook shows of the last line of a cell, in short."""
    drawn = value._repr_png_() if hasattr(value, "_repr_png_") else b""
    return "PNG" if drawn[1:4] == b"PNG" else repr(value)

names = {"__name__": "__main__"}
for number, cell in enumerate(json.loads(sys.stdin.read())):
    statements = ast.parse(cell).body
    last = statements.pop() if isinstance(statements[-1], ast.Expr) else None
    exec(compile(ast.Module(statements, []), f"cell {number}", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        if value is not None:
            print(shown(value))
'''


def code_of(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_the_cells_of_a_notebook_run_in_their_order_and_show_a_prediction(notebook: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(code_of(notebook)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "PNG" in run.stdout.splitlines()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)


def test_there_are_notebooks_for_prediction_and_training() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["prediction", "training"]
