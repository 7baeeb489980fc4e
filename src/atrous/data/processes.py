"""One function of every sample of some splits, in several processes, in the order of the samples."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import cv2

from atrous.data.samples import SegmentationDataset

T = TypeVar("T")

CHUNK = 16  # samples that a process is given at once
WORTH_PROCESSES = 64  # samples; for fewer, starting another process takes longer than it saves


def default_workers() -> int:
    """Processes that read: one per core, at most eight, for one process gathers what they find."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores)


def of_all_samples(
    datasets: Sequence[SegmentationDataset], look: Callable[[SegmentationDataset, int], T], workers: int
) -> Iterator[tuple[int, T]]:
    """Yield (number of the split, what was seen) for every sample of every split, in their order.

    Args:
        datasets: The splits.
        look: A function of a module, applied to a split and the index of a sample.
        workers: Processes beside this one; 0 does all in this one.
    """
    if workers and sum(map(len, datasets)) >= WORTH_PROCESSES:
        yield from _in_processes(datasets, look, workers)
        return
    for split, dataset in enumerate(datasets):
        for sample in range(len(dataset)):
            yield split, look(dataset, sample)


def _in_processes(
    datasets: Sequence[SegmentationDataset], look: Callable[[SegmentationDataset, int], T], workers: int
) -> Iterator[tuple[int, T]]:
    chunks = [
        (split, start, min(start + CHUNK, len(dataset)))
        for split, dataset in enumerate(datasets)
        for start in range(0, len(dataset), CHUNK)
    ]
    # Fresh processes: copies of this one would wait for ever for threads of OpenCV, which are not copied.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _open_in_worker, (list(datasets), look))
    try:
        for chunk, seen in zip(chunks, pool.map(_look_at_chunk, chunks), strict=True):
            for one in seen:
                yield chunk[0], one
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_splits: list[SegmentationDataset] = []
_looks: list[Callable[[SegmentationDataset, int], Any]] = []
"""What a worker was given."""


def _open_in_worker(datasets: list[SegmentationDataset], look: Callable[[SegmentationDataset, int], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the first one answers it
    cv2.setNumThreads(1)
    _splits[:], _looks[:] = datasets, [look]


def _look_at_chunk(chunk: tuple[int, int, int]) -> list[Any]:
    split, start, end = chunk
    return [_looks[0](_splits[split], sample) for sample in range(start, end)]
