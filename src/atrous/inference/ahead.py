"""Stages of work that overlap: each in a thread of its own, a few items ahead of the one that follows."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S")
T = TypeVar("T")

SECONDS_BETWEEN_LOOKS = 0.05
"""After which a thread that waits to hand over looks whether anybody still wants it."""


class _End(NamedTuple):
    """There are no more items; because of an error, if there is one."""

    error: BaseException | None = None


class _Handover(Generic[T]):
    """Where one thread leaves items for another."""

    def __init__(self, count: int) -> None:
        self.waiting: queue.Queue[T | _End] = queue.Queue(count)
        self.unwanted = threading.Event()

    def put(self, item: T | _End) -> None:
        """Wait until there is room, or nobody wants it."""
        while not self.unwanted.is_set():
            with suppress(queue.Full):
                self.waiting.put(item, timeout=SECONDS_BETWEEN_LOOKS)
                return

    def put_newest(self, item: T) -> None:
        """Make room by dropping what waits."""
        while True:
            with suppress(queue.Full):
                self.waiting.put_nowait(item)
                return
            with suppress(queue.Empty):
                self.waiting.get_nowait()


def ahead(items: Iterable[T], count: int) -> Generator[T]:
    """Yield the items in their order while a thread already makes up to `count` of those that follow.

    What fails there fails here, behind the items before it. When nobody takes items any longer, the thread ends.
    """
    handover = _Handover[T](count)
    return _taken(items, handover, handover.put)


def mapped(function: Callable[[S], T], items: Iterable[S], threads: int, count: int) -> Generator[T]:
    """Yield `function` of each item, in the order of the items, while threads are at up to `count` that follow.

    What fails there fails here, behind the results before it. When nobody takes results any longer, no more are begun.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def newest(items: Iterable[T]) -> Generator[T]:
    """Yield, whenever one is asked for, the newest item that a thread has made; what nobody took in time is dropped.

    For live sources, which do not wait.
    """
    handover = _Handover[T](1)
    return _taken(items, handover, handover.put_newest)


def _taken(items: Iterable[T], handover: _Handover[T], put: Callable[[T], None]) -> Generator[T]:
    thread = threading.Thread(target=_work, args=(items, handover, put), daemon=True)
    thread.start()
    try:
        while not isinstance(item := handover.waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        handover.unwanted.set()
        thread.join()


def _work(items: Iterable[T], handover: _Handover[T], put: Callable[[T], None]) -> None:
    try:
        for item in items:
            put(item)
            if handover.unwanted.is_set():
                break
        handover.put(_End())
    except BaseException as error:  # whatever it is, it belongs to whoever takes the items
        handover.put(_End(error))
    finally:
        if isinstance(items, Generator):
            items.close()
