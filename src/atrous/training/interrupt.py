"""Ctrl-C and SIGTERM end a training after the step in progress, not in the middle of it."""

import signal
import threading
from types import FrameType
from typing import Self


class Interrupt:
    """While it is open, the first signal is noted; a second Ctrl-C breaks off at once."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.requested = False

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

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
