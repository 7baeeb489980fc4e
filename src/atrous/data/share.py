"""What falls to one of several processes that work together."""

from typing import NamedTuple


class Share(NamedTuple):
    """One process's part of anything that is counted: every so many, so that all shares are as large, or one larger."""

    number: int = 0
    """Of the process."""
    processes: int = 1
    """How many there are."""

    def of(self, total: int) -> range:
        """Which of so many are its own; each belongs to exactly one process."""
        return range(self.number, total, self.processes)


WHOLE = Share()
"""All of it, for a process that works alone."""
