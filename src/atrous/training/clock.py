"""When a training saves by itself."""

import time


class Clock:
    """Rings when so many minutes have passed since the last save."""

    def __init__(self, minutes: float) -> None:
        """Begin to count."""
        self._seconds = 60 * minutes
        self.restart()

    def restart(self) -> None:
        """Count from now."""
        self._started = time.monotonic()

    @property
    def rings(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._started >= self._seconds
