import io

import pytest
from rich.console import Console

from atrous.progress import Bar, Lines, Silent, duration, terminal_progress, track

NOTE = "loss 2.214 · rate 0.00054 · 27.3 images/s"


def shown(width: int) -> list[str]:
    """What a terminal of that width shows of a training with a validation inside."""
    bar = Bar()
    bar.console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    with bar.task("Training", 2400, 1234) as outer:
        outer.advance(NOTE)
        with bar.task("Evaluating val", 101) as inner:
            inner.advance()
            assert bar.bar is not None
            picture = Console(file=io.StringIO(), width=width, color_system=None)
            picture.print(bar.bar.get_renderable())
    assert isinstance(picture.file, io.StringIO)
    return picture.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_a_training_with_a_validation_inside_is_readable_on_one_line_each(width: int) -> None:
    outer, inner = shown(width)
    assert len(outer) <= width
    assert "Training" in outer
    assert "1235/2400" in outer
    assert "left" in outer
    assert "loss 2.214 · rate 0.00054" in outer
    assert "Evaluating val" in inner
    assert "1/101" in inner
    assert "…" not in inner


def test_a_wide_terminal_shows_the_whole_note() -> None:
    assert NOTE in shown(120)[0]


def test_plain_lines_tell_how_far_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in track(range(3), Lines(), "Reading", 3):
        pass
    out = capsys.readouterr().out
    assert out.startswith("Reading 3/3 (100 %), took ")
    assert out.count("\n") == 1


def test_plain_lines_of_a_resumed_task_start_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("Training", 10, 9) as task:
        task.advance(NOTE)
    assert capsys.readouterr().out.startswith("Training 10/10 (100 %), took 0 s · loss 2.214")


def test_a_task_without_steps_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("Training", 10, 10):
        pass
    assert capsys.readouterr().out == ""


def test_quiet_and_pipes_get_what_suits_them() -> None:
    assert isinstance(terminal_progress(quiet=True), Silent)
    assert isinstance(terminal_progress(), Lines)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1:00 min"), (187, "3:07 min"), (3723, "1:02:03 h")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
