import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial

import pytest

from atrous.server import worker as worker_module
from atrous.server.refusals import RefusedError
from atrous.server.worker import Worker
from tests.server.serving import PATIENCE, eventually

Work = Callable[[], object]


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


class Batches:
    """Does all items of a batch, and notes how many these were."""

    def __init__(self) -> None:
        self.sizes = list[int]()

    def __call__(self, items: Sequence[Work]) -> Iterator[object]:
        self.sizes.append(len(items))
        for item in items:
            try:
                yield item()
            except ArithmeticError as error:
                yield error


def busy_worker(places: int, gate: threading.Event, batches: Batches | None = None) -> Worker[Work, object]:
    """A worker whose first job lasts until the gate opens."""
    worker, begun = Worker[Work, object](batches or Batches(), places), threading.Event()

    def wait() -> bool:
        begun.set()
        return gate.wait(PATIENCE)

    worker.submit(wait)
    assert begun.wait(PATIENCE)
    return worker


def test_jobs_are_done_one_after_the_other_in_their_order(gate: threading.Event) -> None:
    batches = Batches()
    worker, done = busy_worker(10, gate, batches), list[int]()
    futures = [worker.submit(partial(done.append, number)) for number in range(10)]
    assert done == []
    gate.set()
    for future in futures:
        future.result(PATIENCE)
    assert done == list(range(10))
    assert batches.sizes == [1] * 11
    worker.stop()


def test_waiting_jobs_of_one_kind_are_done_together_when_the_first_has_its_turn(gate: threading.Event) -> None:
    batches = Batches()
    worker, done = busy_worker(20, gate, batches), list[int]()
    futures = [worker.submit(partial(done.append, number), kind, 3) for number, kind in enumerate("abaacbad", start=0)]
    gate.set()
    for future in futures:
        future.result(PATIENCE)
    worker.stop()
    assert done == [0, 2, 3, 1, 5, 4, 6, 7]
    assert batches.sizes == [1, 3, 2, 1, 1, 1]


def test_each_job_of_a_batch_has_its_own_end(gate: threading.Event) -> None:
    batches = Batches()
    worker = busy_worker(20, gate, batches)
    works: list[Work] = [lambda: 1, lambda: 1 // 0, lambda: 3]
    futures = [worker.submit(work, "a", 8) for work in works]
    left = worker.submit(lambda: 4, "a", 8)
    assert left.cancel()
    gate.set()
    assert futures[0].result(PATIENCE) == 1
    with pytest.raises(ZeroDivisionError):
        futures[1].result(PATIENCE)
    assert futures[2].result(PATIENCE) == 3
    assert batches.sizes == [1, 3]
    worker.stop()


def test_a_batch_that_breaks_off_says_so_to_all_that_wait_and_the_worker_goes_on(gate: threading.Event) -> None:
    worker = busy_worker(20, gate)
    futures = [worker.submit(partial(int, word), "a", 8) for word in ("1", "one", "2")]
    gate.set()
    assert futures[0].result(PATIENCE) == 1
    for future in futures[1:]:
        with pytest.raises(ValueError, match="one"):
            future.result(PATIENCE)
    assert worker.submit(lambda: 2).result(PATIENCE) == 2
    worker.stop()


def test_one_job_more_than_there_are_places_is_refused(gate: threading.Event) -> None:
    worker = busy_worker(2, gate)
    futures = [worker.submit(lambda: 1) for _ in range(2)]
    with pytest.raises(RefusedError) as caught:
        worker.submit(lambda: 1)
    assert (caught.value.status, caught.value.kind) == (429, "busy")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    gate.set()
    assert [future.result(PATIENCE) for future in futures] == [1, 1]
    worker.require_place()
    worker.stop()


def test_a_job_that_nobody_waits_for_frees_its_place_and_is_not_done(gate: threading.Event) -> None:
    worker, done = busy_worker(1, gate), list[int]()
    future = worker.submit(lambda: done.append(1))
    assert future.cancel()
    assert worker.waiting == 0
    other = worker.submit(lambda: done.append(2))
    gate.set()
    other.result(PATIENCE)
    assert done == [2]
    with pytest.raises(CancelledError):
        future.result()
    worker.stop()


def test_what_was_taken_is_finished_before_the_worker_stops(gate: threading.Event) -> None:
    worker = busy_worker(5, gate)
    futures = [worker.submit(partial(int, number), "a", 2) for number in range(5)]
    stopping = threading.Thread(target=worker.stop)
    stopping.start()

    def refuses() -> bool:
        try:
            worker.submit(lambda: 0).cancel()
        except RefusedError as refused:
            return refused.status == 503
        return False

    eventually(refuses)
    gate.set()
    stopping.join(PATIENCE)
    assert [future.result(0) for future in futures] == list(range(5))


def test_it_tidies_up_once_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "SECONDS_TO_REST", 0.01)
    tidied, rested = list[str](), threading.Event()

    def tidy() -> None:
        tidied.append("once")
        rested.set()

    worker = Worker[Work, object](Batches(), 2, tidy)
    assert rested.wait(PATIENCE)
    for count in (1, 2):
        assert tidied == ["once"] * count
        rested.clear()
        worker.submit(lambda: None).result(PATIENCE)
        assert rested.wait(PATIENCE)
    worker.stop()
    assert len(tidied) == 3


def test_it_tidies_up_between_jobs_where_there_is_never_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "SECONDS_WITHOUT_REST", 0)
    told, gate = list[str](), threading.Event()
    worker = Worker[Work, object](Batches(), 9, lambda: told.append("tidied"))
    jobs = [worker.submit(partial(gate.wait, PATIENCE))]
    jobs += [worker.submit(lambda: told.append("job")) for _ in range(2)]
    gate.set()
    for job in jobs:
        job.result(PATIENCE)
    assert told[:5] == ["tidied", "tidied", "job", "tidied", "job"]
    worker.stop()
