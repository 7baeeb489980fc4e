"""What is needed next is made while the network is busy."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def made_ahead(items: Iterator[T], ahead: int = 2) -> Generator[T, None, None]:
    """Yield what an iterator yields, made in a thread of its own.

    Args:
        items: Where they come from; nobody else may ask it.
        ahead: How many are made before they are asked for.

    Raises:
        Exception: Whatever `items` raises, behind the items before it.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
    try:
        coming = deque(thread.submit(next, items, None) for _ in range(ahead))
        while (item := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, items, None))
            yield item
    finally:
        thread.shutdown(cancel_futures=True)
