"""How long a training waits for its batches."""

import time
from collections.abc import Iterator

import pytest

from atrous.data.loading import Batch
from atrous.training.waiting import TimedBatches
from tests.training.test_uploading import batches


class Clock:
    """Time that goes by when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_the_share_is_what_was_waited_since_it_was_last_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def slow() -> Iterator[Batch]:
        for batch in batches(3):
            clock.now += 1.0
            yield batch

    timed = TimedBatches(slow())
    for seconds in (4.0, 6.0):
        next(timed)
        timed.count(seconds)
    assert timed.share() == pytest.approx(0.2)
    next(timed)
    timed.count(2.0)
    assert timed.share() == pytest.approx(0.5)
    assert timed.share() == 0.0


def test_waiting_for_a_batch_that_fails_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def failing() -> Iterator[Batch]:
        clock.now += 3.0
        raise OSError
        yield

    timed = TimedBatches(failing())
    with pytest.raises(OSError):
        next(timed)
    timed.count(4.0)
    assert timed.share() == pytest.approx(0.75)
