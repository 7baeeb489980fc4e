"""One thread that computes, behind a queue with an end."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from atrous.server.refusals import RefusedError, busy

T = TypeVar("T")

SECONDS_AT_FIRST = 1.0
"""What a job is thought to take before one has been done."""
FORGETTING = 0.2
"""How much the newest job counts in the mean of the seconds."""
LONGEST_WAIT = 60
"""Seconds that a client is asked to wait at most."""


class _Job(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self.work, self.future = work, Future[T]()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:  # whoever waits for the answer gets it, and the thread goes on
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Worker:
    """Does one job after the other, in the order in which they came.

    A network uses all cores for one picture, so that two at once would only take twice the memory.
    """

    def __init__(self, places: int) -> None:
        """Start the thread.

        Args:
            places: How many jobs may wait while another is done.
        """
        self._places = places
        self._jobs: deque[_Job[object]] = deque()
        self._changed = threading.Condition()
        self._stopping = self._busy = False
        self._seconds_each = SECONDS_AT_FIRST
        self._thread = threading.Thread(target=self._work, name="atrous-worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Put a job behind the others; a future that is cancelled before its turn frees its place at once.

        Raises:
            RefusedError: If all places are taken, or the worker stops.
        """
        job = _Job(work)
        with self._changed:
            if self._stopping:
                raise RefusedError(503, "stopping", "The server is being stopped: send the picture to another one.")
            self._require_place()
            self._jobs.append(job)  # type: ignore[arg-type]  # what it returns is known to its future alone
            self._changed.notify()
        job.future.add_done_callback(lambda _: self._leave(job))
        return job.future

    def require_place(self) -> None:
        """Refuse while all places are taken.

        Raises:
            RefusedError: It says when to come back.
        """
        with self._changed:
            self._require_place()

    def stop(self) -> None:
        """Finish all jobs that were taken, then end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _require_place(self) -> None:
        if len(self._jobs) >= self._places:
            raise busy(min(max(math.ceil(len(self._jobs) * self._seconds_each), 1), LONGEST_WAIT))

    def _leave(self, job: "_Job[T]") -> None:
        if job.future.cancelled():
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)  # type: ignore[arg-type]

    def _work(self) -> None:
        while (job := self._next()) is not None:
            began = time.perf_counter()
            job.run()
            if not job.future.cancelled():
                self._seconds_each += FORGETTING * (time.perf_counter() - began - self._seconds_each)
            del job  # a picture less while the next one is awaited

    def _next(self) -> "_Job[object] | None":
        with self._changed:
            while not self._jobs and not self._stopping:
                self._changed.wait()
            return self._jobs.popleft() if self._jobs else None
