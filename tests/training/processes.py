"""Several processes for the tests: started here with a group of their own, as Ray does, or by torchrun."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

SECONDS = 800


def in_processes(count: int, work: Callable[..., object], place: Path, *arguments: Any) -> None:
    """Call `work(*arguments)` in so many processes that form a group; `place` is an empty folder where they meet."""
    context = multiprocessing.get_context("spawn")
    place.mkdir(parents=True)
    meeting = str(place / "meeting")
    processes = [
        context.Process(target=_one_of_them, args=(number, count, meeting, work, arguments)) for number in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
        process.kill()
    assert [process.exitcode for process in processes] == count * [0]


def _one_of_them(
    number: int, count: int, meeting: str, work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=count)
    work(*arguments)
    assert dist.is_initialized()  # whoever began the group ends it
    dist.destroy_process_group()


def torchrun(count: int, *arguments: object) -> "subprocess.Popen[str]":
    """The command `atrous` in so many processes, which torchrun starts."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return subprocess.Popen(
        [*run, "-m", "atrous", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
