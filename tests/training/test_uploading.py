"""Batches on their way to a device."""

import pytest
import torch

from atrous.data.loading import Batch
from atrous.training.uploading import one_ahead, uploaded


def batches(count: int) -> list[Batch]:
    return [
        Batch(
            torch.full((2, 3, 4, 5), number, dtype=torch.uint8).contiguous(memory_format=torch.channels_last),
            torch.full((2, 4, 5), number, dtype=torch.uint8),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_the_next_batch_is_sent_before_one_is_received(count: int) -> None:
    events: list[tuple[str, int]] = []

    def noted(what: str, number: int) -> int:
        events.append((what, number))
        return number

    received = one_ahead(iter(range(count)), lambda n: noted("sent", n), lambda n: noted("received", n))
    assert list(received) == list(range(count))
    for number in range(count - 1):
        assert events.index(("sent", number + 1)) < events.index(("received", number))


def test_batches_for_a_cpu_stay_where_they_are() -> None:
    sent = batches(3)
    assert all(a is b for a, b in zip(uploaded(iter(sent), torch.device("cpu")), sent, strict=True))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_reach_a_gpu_whole_and_as_bytes() -> None:
    device = torch.device("cuda")
    arrived = list(uploaded(iter(batches(4)), device))
    for got, sent in zip(arrived, batches(4), strict=True):
        assert got.image.device.type == "cuda"
        assert got.image.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(got.image.cpu(), sent.image)
        assert torch.equal(got.mask.cpu(), sent.mask)
