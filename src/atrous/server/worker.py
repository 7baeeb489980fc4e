"""One thread that computes, behind a queue with an end; what is alike and waits is computed together."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Generic, TypeVar

from atrous.server.refusals import RefusedError, busy

Item = TypeVar("Item")
Result = TypeVar("Result")

SECONDS_AT_FIRST = 1.0
"""What a job is thought to take before one has been done."""
FORGETTING = 0.2
"""How much the newest batch counts in the mean of the seconds of a job."""
LONGEST_WAIT = 60
"""Seconds that a client is asked to wait at most."""
SECONDS_TO_REST = 1.0
"""Without a job, until the worker tidies up."""
SECONDS_WITHOUT_REST = 10.0
"""After which it tidies up between two jobs, however many wait."""


class _Job(Generic[Item, Result]):
    def __init__(self, item: Item, kind: Hashable, together: int) -> None:
        self.item, self.kind, self.together, self.future = item, kind, together, Future[Result]()

    def finish(self, outcome: Result | BaseException) -> None:
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Worker(Generic[Item, Result]):
    """Does jobs in the order in which they came, one batch after the other.

    A batch is the job whose turn it is, with those of its kind that wait at that moment; nothing is waited for. A
    network uses all cores for one batch, so that two at once would only take twice the memory.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], Iterable[Result | Exception]],
        places: int,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the thread.

        Args:
            compute: Is given the items of a batch; what it yields for each, in their order, is handed out at once.
            places: How many jobs may wait while others are done.
            tidy: Called once whenever there has been nothing to do for a second, and every ten seconds otherwise.
        """
        self._compute, self._places, self._tidy = compute, places, tidy
        self._jobs: deque[_Job[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._seconds_each = SECONDS_AT_FIRST
        self._thread = threading.Thread(target=self._work, name="atrous-worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def submit(self, item: Item, kind: Hashable = None, together: int = 1) -> "Future[Result]":
        """Put a job behind the others; a future that is cancelled before its turn frees its place at once.

        Args:
            item: What is computed.
            kind: Only jobs of one kind are done together.
            together: How many of them at most.

        Raises:
            RefusedError: If all places are taken, or the worker stops.
        """
        job = _Job[Item, Result](item, kind, together)
        with self._changed:
            if self._stopping:
                raise RefusedError(503, "stopping", "The server is being stopped: send the picture to another one.")
            self._require_place()
            self._jobs.append(job)
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

    def _leave(self, job: _Job[Item, Result]) -> None:
        if job.future.cancelled():
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)

    def _work(self) -> None:
        tidied = time.perf_counter()
        while True:
            rested = not self._job_within(SECONDS_TO_REST)
            if rested or time.perf_counter() - tidied > SECONDS_WITHOUT_REST:
                self._tidy()
                tidied = time.perf_counter()
            if (batch := self._next()) is None:
                return
            began = time.perf_counter()
            wanted = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if wanted:
                self._do(wanted)
                self._seconds_each += FORGETTING * ((time.perf_counter() - began) / len(wanted) - self._seconds_each)
            del batch, wanted  # some pictures less while the next ones are awaited

    def _job_within(self, seconds: float) -> bool:
        """Whether a job comes, or the end, within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._jobs) or self._stopping, seconds)

    def _next(self) -> list[_Job[Item, Result]] | None:
        with self._changed:
            while not self._jobs and not self._stopping:
                self._changed.wait()
            if not self._jobs:
                return None
            first = self._jobs[0]
            batch = list(islice((job for job in self._jobs if job.kind == first.kind), first.together))
            for job in batch:
                self._jobs.remove(job)
            return batch

    def _do(self, jobs: Sequence[_Job[Item, Result]]) -> None:
        try:
            for job, outcome in zip(jobs, self._compute([job.item for job in jobs]), strict=True):
                job.finish(outcome)
        except BaseException as error:  # whoever waits for an answer gets it, and the thread goes on
            for job in jobs:
                if not job.future.done():
                    job.finish(error)
