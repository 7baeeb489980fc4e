"""The memory of a training."""

import sys
from pathlib import Path

import pytest
import torch

from atrous.training.logs import read_log
from atrous.training.memory import describe_memory, keep_freed_memory, peak_gigabytes
from atrous.training.train import train
from tests.training.runs import small_recipe

CPU = torch.device("cpu")


def test_the_peak_grows_by_what_is_held_and_never_falls() -> None:
    before = peak_gigabytes()
    held = torch.ones(int((before + 0.1) * 2**28))  # of 4 bytes: more than all that was ever held
    during = peak_gigabytes()
    assert during >= before + 0.1
    del held
    assert peak_gigabytes() >= during


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_memory_that_is_kept_can_be_used_again() -> None:
    kept = keep_freed_memory()
    import resource

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**24)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    first = faults()
    assert not kept or min(faults() for _ in range(3)) <= first


def test_a_training_says_and_logs_its_peak_and_its_waiting(tmp_path: Path) -> None:
    train(small_recipe(training={"steps": 2}), tmp_path)
    rows = [row for row in read_log(tmp_path / "log.jsonl") if "loss" in row]
    assert all(0 < row["memory_gigabytes"] < 1000 and 0 <= row["data_wait"] <= 1 for row in rows)
    assert "GiB" in describe_memory(CPU)
