"""Items that are made ahead."""

import threading
from collections.abc import Iterator
from itertools import count, islice

import pytest

from atrous.data.prefetching import made_ahead


def test_items_come_in_their_order() -> None:
    assert list(made_ahead(iter(range(1, 8)))) == [1, 2, 3, 4, 5, 6, 7]


def test_they_are_made_in_another_thread_and_before_they_are_asked_for() -> None:
    made = threading.Semaphore(0)
    makers = set()

    def items() -> Iterator[int]:
        for number in count(1):
            makers.add(threading.current_thread())
            made.release()
            yield number

    ahead = made_ahead(items(), ahead=2)
    assert next(ahead) == 1
    for _ in range(3):  # the one that was taken and two more
        assert made.acquire(timeout=60)
    ahead.close()
    assert threading.current_thread() not in makers


def test_an_error_comes_behind_what_was_made_before_it() -> None:
    def items() -> Iterator[str]:
        yield from ("a", "b", "c")
        raise KeyError("fourth")

    ahead = made_ahead(items())
    assert list(islice(ahead, 3)) == ["a", "b", "c"]
    with pytest.raises(KeyError, match="fourth"):
        next(ahead)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_its_thread_ends_with_it(taken: int) -> None:
    before = set(threading.enumerate())
    ahead = made_ahead(count(1))
    list(islice(ahead, taken))
    ahead.close()
    assert set(threading.enumerate()) <= before
