import io
import sys
import time

import pytest
from rich.console import Console

from atrous.progress import SECONDS_BETWEEN_LINES, Bar, Lines, Progress, Silent, duration, terminal_progress, track


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (42.4, "42 s"),
        (59.4, "59 s"),
        (59.6, "1:00 min"),
        (187, "3:07 min"),
        (3599.7, "1:00:00 h"),
        (3723, "1:02:03 h"),
        (360000, "100:00:00 h"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_silence_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.say("hello")
    assert list(track("abc", silent, "Reading", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_lines_say_what_was_done_and_how_long_it_takes(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("Training", total=300) as task:
        for _ in range(300):
            clock.now += 1
            task.advance("loss 0.41")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Training 10/300 (3 %), 4:50 min left · loss 0.41"
    assert lines[-1] == "Training 300/300 (100 %), took 5:00 min · loss 0.41"
    assert len(lines) == 300 / SECONDS_BETWEEN_LINES


def test_steps_that_were_done_before_count_but_tell_nothing_of_the_speed(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Lines().task("Training", total=1000, done=900) as task:
        for _ in range(100):
            clock.now += 1
            task.advance()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Training 910/1000 (91 %), 1:30 min left"
    assert lines[-1] == "Training 1000/1000 (100 %), took 1:40 min"


@pytest.mark.parametrize("total", [0, 3, 5, 1000])
def test_lines_are_few_and_the_last_step_is_always_shown(
    total: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Lines().task("Reading", total) as task:
        for _ in range(50):
            clock.now += 0.01
            task.advance("x")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 2
    assert lines[-1].startswith(f"Reading 50/{total} ")


def test_a_task_without_steps_prints_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("Reading", total=0):
        pass
    with Lines().task("Reading", total=9, done=9):
        pass
    assert capsys.readouterr().out == ""


def test_a_failed_task_claims_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with Lines().task("Reading", total=9) as task:
            task.advance()
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail()
    assert capsys.readouterr().out == ""


def test_a_step_counts_once_it_has_been_worked_on(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    for item in track(range(3), Lines(), "Reading", 3):
        assert capsys.readouterr().out == "", item
        clock.now += SECONDS_BETWEEN_LINES / 2
        if item == 1:
            break
    for _ in track(range(3), Lines(), "Reading", 3):
        pass
    assert capsys.readouterr().out == "Reading 3/3 (100 %), took 0 s\n"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> tuple[Bar, io.StringIO]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    bar, screen = Bar(), io.StringIO()
    bar.console = Console(file=screen, force_terminal=True, width=120, highlight=False, soft_wrap=True, emoji=False)
    return bar, screen


def test_a_bar_shows_tasks_inside_tasks(screen: tuple[Bar, io.StringIO]) -> None:
    bar, out = screen
    with bar.task("Training", total=2) as outer:
        for step in range(2):
            with bar.task("Evaluating", total=3) as inner:
                for _ in range(3):
                    inner.advance("mIoU 0.5")
                assert bar.bar is not None
                assert [task.description for task in bar.bar.tasks] == ["Training", "Evaluating"]
                bar.bar.refresh()
            bar.say(f"after step {step}")
            outer.advance("loss 0.4")
        assert bar.bar is not None
        assert [task.completed for task in bar.bar.tasks] == [2]
    assert bar.bar is None
    shown = out.getvalue()
    for text in ("Training", "Evaluating", "3/3", "mIoU 0.5", "after step 1", "loss 0.4", "2/2"):
        assert text in shown


def test_a_bar_that_continues_starts_where_it_was(screen: tuple[Bar, io.StringIO]) -> None:
    bar, out = screen
    with bar.task("Training", total=10, done=7) as task:
        task.advance()
    assert "8/10" in out.getvalue()


def test_brackets_and_colons_in_texts_are_shown_as_they_are(screen: tuple[Bar, io.StringIO]) -> None:
    bar, out = screen
    with bar.task("Reading a[1].jpg [/x]", total=1) as task:
        bar.say("saw [bold] and :car: and [/y]")
        task.advance("b[/2].jpg")
    for text in ("a[1].jpg [/x]", "[bold] and :car: and [/y]", "b[/2].jpg"):
        assert text in out.getvalue()


def test_a_bar_goes_away_when_its_work_fails_and_can_be_used_again(screen: tuple[Bar, io.StringIO]) -> None:
    bar, _ = screen

    def fail() -> None:
        with bar.task("Outer", total=1), bar.task("Inner", total=1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert bar.bar is None
    assert list(track("ab", bar, "Again", 2)) == ["a", "b"]


def test_the_way_to_show_progress_fits_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(*, terminal: bool, quiet: bool) -> type[Progress]:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        return type(terminal_progress(quiet=quiet))

    assert kind(terminal=True, quiet=True) is Silent
    assert kind(terminal=True, quiet=False) is Bar
    assert kind(terminal=False, quiet=False) is Lines


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
