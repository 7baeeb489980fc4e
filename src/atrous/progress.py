"""How long work is shown: a bar with time left on a terminal, plain lines elsewhere, nothing when asked to be quiet.

The library reports to a `Progress` that the caller hands in; its default is `Silent`.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:  # a pipe needs none of it
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 10.0
WIDE = 100
"""Characters per line from which there is room for a long bar."""


class Task(Protocol):
    """One piece of work with a known number of steps."""

    def advance(self, note: str = "") -> None:
        """Count one step as done; the note stands beside the bar."""

    def expect(self, total: int) -> None:
        """Change how many steps there are."""


class Progress(Protocol):
    """Where work in progress is reported to."""

    def say(self, text: str) -> None:
        """Show one line."""

    def task(self, description: str, total: int, done: int = 0) -> AbstractContextManager[Task]:
        """Open a piece of work of `total` steps, of which `done` were done before."""


def track(items: Iterable[T], progress: Progress, description: str, total: int) -> Iterator[T]:
    """Yield `items`, counting each as a step once it has been worked on."""
    with progress.task(description, total) as task:
        for item in items:
            yield item
            task.advance()


def duration(seconds: float) -> str:
    """Seconds as people say them: `42 s`, `3:07 min`, `1:02:03 h`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def task(self, description: str, total: int, done: int = 0) -> Iterator[Task]:  # noqa: ARG002
        """Count nothing."""
        yield _SilentTask()


class _SilentTask:
    def advance(self, note: str = "") -> None:
        pass

    def expect(self, total: int) -> None:
        pass


class Lines:
    """Plain lines, at most one every few seconds and one at the end: for logs and pipes."""

    def say(self, text: str) -> None:
        """Print one line at once."""
        print(text, flush=True)

    @contextmanager
    def task(self, description: str, total: int, done: int = 0) -> Iterator[Task]:
        """Print lines such as `Training 300/1000 (30 %), 2:10 min left · loss 0.41`."""
        task = _LineTask(description, total, done)
        yield task
        task.finish()


class _LineTask:
    def __init__(self, description: str, total: int, done: int) -> None:
        self.description, self.total, self.done, self.done_before = description, total, done, done
        self.started = self.printed_at = time.monotonic()
        self.printed, self.note = done, ""

    def advance(self, note: str = "") -> None:
        self.done, self.note = self.done + 1, note
        if self.done == self.total or time.monotonic() - self.printed_at >= SECONDS_BETWEEN_LINES:
            self._print()

    def expect(self, total: int) -> None:
        self.total = total

    def finish(self) -> None:
        """Print the last line of a task that had fewer or more steps than it had said."""
        if self.printed != self.done:
            self._print()

    def _print(self) -> None:
        self.printed, self.printed_at = self.done, time.monotonic()
        passed = self.printed_at - self.started
        left = passed / (self.done - self.done_before) * (self.total - self.done)
        time_text = f"{duration(left)} left" if self.done < self.total else f"took {duration(passed)}"
        percent = 100 * self.done // max(self.total, 1)
        tail = f" · {self.note}" if self.note else ""
        print(f"{self.description} {self.done}/{self.total} ({percent} %), {time_text}{tail}", flush=True)


class Bar:
    """A live bar on a terminal, with time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(highlight=False, soft_wrap=True, emoji=False)
        self.bar: RichProgress | None = None

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self.console.print(text, markup=False)

    @contextmanager
    def task(self, description: str, total: int, done: int = 0) -> Iterator[Task]:
        """Show the bar; a task opened inside another stands below it and goes away when done."""
        outer = self.bar
        bar = outer or self._new_bar()
        self.bar = bar
        if outer is None:
            bar.start()
        number = bar.add_task(description, total=total, completed=done, note="")
        try:
            yield _BarTask(bar, number)
        finally:
            if outer is None:
                bar.stop()
                self.bar = None
            else:
                bar.remove_task(number)

    def _new_bar(self) -> "RichProgress":
        from rich.progress import Progress as RichProgress

        from atrous.progress_columns import columns

        return RichProgress(
            *columns(duration, wide=self.console.width >= WIDE),
            console=self.console,
            redirect_stderr=sys.stderr.isatty(),  # errors that go to a file belong there and not above the bar
        )


class _BarTask:
    def __init__(self, bar: "RichProgress", number: "TaskID") -> None:
        self.bar, self.number = bar, number

    def advance(self, note: str = "") -> None:
        self.bar.advance(self.number)
        if note:
            self.bar.update(self.number, note=note)

    def expect(self, total: int) -> None:
        self.bar.update(self.number, total=total)


def terminal_progress(*, quiet: bool = False) -> Progress:
    """The right way to show progress here: nothing, a bar on a terminal, or plain lines."""
    if quiet:
        return Silent()
    return Bar() if sys.stdout.isatty() else Lines()
