import threading
import time
from collections.abc import Iterator

import pytest

from atrous.inference.ahead import ahead, newest


def test_the_order_stays_and_nothing_is_lost() -> None:
    assert list(ahead(ahead(range(200), 3), 1)) == list(range(200))


def test_what_fails_fails_behind_what_came_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise LookupError("here")

    stage = ahead(items(), 2)
    taken = [next(stage) for _ in range(5)]
    with pytest.raises(LookupError, match="here"):
        next(stage)
    assert taken == [0, 1, 2, 3, 4]


def test_no_more_is_made_than_may_wait() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stage = ahead(items(), 3)
    assert next(stage) == 0
    time.sleep(0.3)
    assert len(made) <= 1 + 3 + 1  # taken, waiting, in the hand
    stage.close()


def test_stages_end_with_whoever_takes_their_items() -> None:
    before = threading.active_count()
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stage = ahead((item for item in ahead(items(), 2)), 2)
    assert next(stage) == 1
    stage.close()
    assert closed.wait(5)
    assert threading.active_count() == before


def test_both_ends_work_at_once() -> None:
    waiting, answered = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        waiting.set()
        assert answered.wait(5)  # only whoever took the first item lets the second be made
        yield 2

    stage = ahead(items(), 1)
    assert next(stage) == 1
    assert waiting.wait(5)
    answered.set()
    assert list(stage) == [2]


def test_the_newest_is_taken_and_older_ones_are_dropped() -> None:
    go = [threading.Event() for _ in range(2)]
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert go[0].wait(5)
        yield from range(1, 50)
        made.set()
        assert go[1].wait(5)

    stage = newest(items())
    assert next(stage) == 0
    go[0].set()
    assert made.wait(5)
    assert next(stage) == 49
    go[1].set()
    assert list(stage) == []
