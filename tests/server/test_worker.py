import threading
from concurrent.futures import CancelledError
from functools import partial

import pytest

from atrous.server.refusals import RefusedError
from atrous.server.worker import Worker
from tests.server.serving import PATIENCE, eventually


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


def busy_worker(places: int, gate: threading.Event) -> Worker:
    """A worker whose first job lasts until the gate opens."""
    worker, begun = Worker(places), threading.Event()

    def wait() -> bool:
        begun.set()
        return gate.wait(PATIENCE)

    worker.submit(wait)
    assert begun.wait(PATIENCE)
    return worker


def test_jobs_are_done_one_after_the_other_in_their_order(gate: threading.Event) -> None:
    worker, done = busy_worker(10, gate), list[int]()
    futures = [worker.submit(partial(done.append, number)) for number in range(10)]
    assert done == []
    gate.set()
    for future in futures:
        future.result(PATIENCE)
    assert done == list(range(10))
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


def test_a_job_that_fails_fails_alone() -> None:
    worker = Worker(5)
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 // 0).result(PATIENCE)
    assert worker.submit(lambda: 2).result(PATIENCE) == 2
    worker.stop()


def test_what_was_taken_is_finished_before_the_worker_stops(gate: threading.Event) -> None:
    worker = busy_worker(5, gate)
    futures = [worker.submit(partial(int, number)) for number in range(5)]
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
