"""Ctrl-C and SIGTERM end a training after the step in progress, not in the middle of it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self


class Interrupt:
    """While it is open, the first signal is noted; a second Ctrl-C breaks off at once."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.requested = False
        self._breaks_off = False

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread alone; elsewhere there is nothing to catch.
        self._catching = threading.current_thread() is threading.main_thread()
        if self._catching:
            self._older = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        if self._catching:
            for number, handler in self._older.items():
                signal.signal(number, handler)

    @contextmanager
    def breaks_off(self) -> Iterator[None]:
        """Leave the block at the first signal: for long work that writes nothing and can be done again."""
        self._breaks_off = True
        try:
            yield
        except _BrokenOff:
            pass
        finally:
            self._breaks_off = False

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if self._breaks_off:
            raise _BrokenOff


class _BrokenOff(BaseException):
    """Like KeyboardInterrupt no `Exception`, so that nothing on its way takes it for a fault."""
