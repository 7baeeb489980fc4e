"""Work in threads of our own.

numba's own threads must not be used by two callers at once, or do not survive a fork, depending on the system; these
can and do, and lose no time, since compiled code gives the interpreter's lock back.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """A few threads, as a context; with one, everything happens in the caller's."""

    def __init__(self, count: int) -> None:
        """Start up to `count` threads when there is work for them."""
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown()

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`work` of each item, in the order of the items."""
        return list(self._pool.map(work, items) if self._pool else map(work, items))

    def spread(self, work: Callable[[int, int], object], count: int) -> None:
        """Call `work(start, stop)` for parts of 0..count that together are all of it."""
        bounds = [count * part // self.count for part in range(self.count + 1)]
        self.map(lambda part: work(bounds[part], bounds[part + 1]), range(self.count))
