"""Batches travel to a GPU while it works on the ones before."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import torch

from atrous.data.loading import Batch

T = TypeVar("T")
U = TypeVar("U")


def one_ahead(items: Iterator[T], send: Callable[[T], U], receive: Callable[[U], U]) -> Generator[U, None, None]:
    """Yield every item as `send` made it; the next is sent before one is received."""
    coming = None
    for item in items:
        here, coming = coming, send(item)
        if here is not None:
            yield receive(here)
    if coming is not None:
        yield receive(coming)


def uploaded(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches that lie on the device, as bytes; those of a CPU already do.

    From pinned memory and on a stream of its own, a copy runs beside the step that is at work.
    """
    if device.type != "cuda":
        return batches
    stream = torch.cuda.Stream(device)

    def send(batch: Batch) -> Batch:
        with torch.cuda.stream(stream):
            return Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch))

    def receive(batch: Batch) -> Batch:
        working = torch.cuda.current_stream(device)
        working.wait_stream(stream)
        for tensor in batch:
            tensor.record_stream(working)  # lest its memory be given to the next upload while it is read
        return batch

    return one_ahead(batches, send, receive)
