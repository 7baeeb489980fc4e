"""The columns of the bar on a terminal; apart from `progress.py`, as a pipe does without rich."""

from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text


def columns(duration: Callable[[float], str], *, wide: bool) -> list[ProgressColumn]:
    """What stands in the line of a task, from left to right; `duration` says seconds in words."""
    return [
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(24 if wide else 5, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        _TimeColumn(duration),
        _NoteColumn(),
    ]


class _TimeColumn(ProgressColumn):
    """The time left, or the time taken once the task is done."""

    max_refresh = 0.5  # seconds between two renderings; faster, the last digits only flicker

    def __init__(self, duration: Callable[[float], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self.duration = duration

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(f"took {self.duration(task.finished_time or 0)}", style="progress.elapsed")
        left = "-" if task.time_remaining is None else self.duration(task.time_remaining)
        return Text(f"{left} left", style="progress.remaining")


class _NoteColumn(ProgressColumn):
    """The note; the only column that gives way where the terminal is narrow."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")
