"""A first look at data and machine, for the planning of a training: facts only, nothing is judged here."""

import os
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from atrous.data.samples import SegmentationDataset, require_known_labels
from atrous.inference.device import best_device, describe_device, gains_from_bfloat16
from atrous.progress import Progress, track
from atrous.training.planning.clock import Clock

Size = tuple[int, int]

AT_MOST = 200
"""Pictures that are looked at: their frequencies of classes are known well enough from so many."""
AT_LEAST = 8
"""Pictures that are looked at, however long that takes."""


class DataFacts(NamedTuple):
    """What a training must know of a data set."""

    title: str
    train: int
    """Pictures."""
    val: int
    size: Size
    """The median (height, width)."""
    largest: Size
    """The largest height and the largest width, which may be of different pictures."""
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    """Of each class in the labelled pixels of train, 0..1."""
    looked_at: int
    """Pictures of train that these facts are from."""
    seconds_per_picture: float
    """To read one with its mask."""

    @property
    def imbalance(self) -> float:
        """How often the most frequent class occurs for each time that the rarest does, of those that occur."""
        present = [share for share in self.shares if share > 0]
        return max(present) / min(present) if present else 1.0

    @property
    def pixels(self) -> int:
        """Of the median picture."""
        return self.size[0] * self.size[1]

    @property
    def gigabytes(self) -> float:
        """That the decoded training pictures and their masks need, about."""
        return self.train * self.pixels * (4 if len(self.classes) <= 255 else 5) / 2**30


class MachineFacts(NamedTuple):
    """What a training must know of the machine."""

    device: str
    """In words."""
    gpu: bool
    cores: int
    """That this process may use."""
    memory: float
    """GiB that are free beside the device's own."""
    gpu_memory: float
    """GiB that are free on the GPU; 0 without one."""
    bfloat16: bool
    """Whether the device gains from it."""


def look_at_data(
    train: SegmentationDataset,
    val: SegmentationDataset,
    seconds: float,
    progress: Progress,
    clock: Clock = time.monotonic,
) -> DataFacts:
    """Read pictures that are spread evenly over the training split, as many as the time allows.

    Args:
        train: The training split.
        val: The validation split, which is only counted.
        seconds: After which no more are read, once there are `AT_LEAST`.
        progress: Where to show how far it is.
        clock: Seconds that pass.

    Raises:
        ImageError, MaskError: If a file is unreadable, or a mask holds a label of no class.
    """
    sizes: list[Size] = []
    pixels = np.zeros(train.labels.ignore_index + 1, np.int64)
    started = clock()
    chosen = np.unique(np.linspace(0, len(train) - 1, min(AT_MOST, len(train))).round().astype(int))
    order = np.random.default_rng(0).permutation(chosen)  # so that those that are reached in time are spread, too
    for index in track(order, progress, "Looking at train", len(order)):
        if len(sizes) >= AT_LEAST and clock() - started > seconds:
            break
        sample = train[int(index)]
        require_known_labels(train, int(index), sample)
        sizes.append((sample.image.shape[0], sample.image.shape[1]))
        pixels += np.bincount(sample.mask.ravel(), minlength=len(pixels))
    spent = clock() - started
    return _facts(train, len(val), sizes, pixels[: train.labels.num_classes], spent / len(sizes))


def _facts(
    train: SegmentationDataset, val: int, sizes: list[Size], pixels: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    seconds: float,
) -> DataFacts:  # fmt: skip
    heights, widths = np.array(sizes).T
    total = max(1, int(pixels.sum()))
    return DataFacts(
        title=train.title,
        train=len(train),
        val=val,
        size=(int(np.median(heights)), int(np.median(widths))),
        largest=(int(heights.max()), int(widths.max())),
        classes=train.labels.names,
        shares=tuple(float(count) / total for count in pixels),
        looked_at=len(sizes),
        seconds_per_picture=seconds,
    )


def look_at_machine() -> MachineFacts:
    """Ask the machine for its cores, its memory and its GPU."""
    device = best_device()
    gpu = device.type == "cuda"
    return MachineFacts(
        device=describe_device(device),
        gpu=gpu,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=free_memory(),
        gpu_memory=torch.cuda.mem_get_info(device)[0] / 2**30 if gpu else 0.0,
        bfloat16=gains_from_bfloat16(device),
    )


def free_memory() -> float:
    """GiB that a process can still take: what Linux calls available, or what the container leaves, if that is less."""
    left = [value for value in (_available(), _left_to_container()) if value is not None]
    return min(left) if left else _all_memory() / 2


def used_memory() -> float:
    """GiB that this process has held at most so far, those of its loader processes left out."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(held / 2**30 if sys.platform == "darwin" else held / 2**20)


def _available() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not Linux
        return None
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable")), None)


def _left_to_container() -> float | None:
    root = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return (int((root / limit).read_text()) - int((root / used).read_text())) / 2**30
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return None


def _all_memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return 8.0
