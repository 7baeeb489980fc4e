"""Time label maps against torch's own: resize all logits (planes, as networks give them), then take the largest.

Usage: python benchmarks/label_maps.py MASK [--rounds R] [--threads T]
MASK is a mask of a real picture: natural logits are highest at its labels, fall off within two places, and carry noise
of a network's size; random ones are noise alone, so that nearly every cell is mixed. Both take turns, with as many
threads. Printed are medians of the processor's time, as others may use the machine, the share of mixed cells, in how
many pixels the masks differ, and how much memory each adds to the process, measured in one of its own.
"""

import argparse
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from atrous.images import read_mask
from atrous.inference.label_map import label_map
from atrous.labels import Mask

Array = NDArray[np.float32]


class Case(NamedTuple):
    """One problem."""

    classes: int
    low: tuple[int, int]
    size: tuple[int, int]
    align_corners: bool = False


CASES = (
    Case(21, (129, 129), (513, 513)),
    Case(21, (129, 129), (513, 513), align_corners=True),
    Case(21, (33, 33), (513, 513)),
    Case(182, (65, 65), (513, 513)),
    Case(150, (256, 512), (1024, 2048)),
    Case(150, (256, 512), (1024, 2048), align_corners=True),
    Case(182, (256, 512), (1024, 2048)),
)


def random_logits(case: Case) -> Array:
    """float32 [K, h, w]: noise."""
    return np.random.default_rng(0).standard_normal((case.classes, *case.low), np.float32)


def natural_logits(case: Case, mask: Mask) -> Array:
    """float32 [K, h, w]: the mask's labels, spread over all classes and blurred, with noise."""
    height, width = case.low
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST).astype(int) * 7 % case.classes
    logits = random_logits(case)
    for k in np.unique(small):
        logits[k] += 12 * cv2.GaussianBlur((small == k).astype(np.float32), (0, 0), 1.0)
    return logits


def by_torch(logits: Array, case: Case) -> Mask:
    """What everybody writes."""
    planes = torch.from_numpy(logits)[None]
    resized = F.interpolate(planes, case.size, mode="bilinear", align_corners=case.align_corners)
    return np.asarray(resized.argmax(dim=1)[0].numpy().astype(np.uint8))


def ours(logits: Array, case: Case, threads: int | None) -> Mask:
    """The mask, and nothing else in memory."""
    return label_map(logits, case.size, np.uint8, "align_corners" if case.align_corners else "half_pixel", threads)


def seconds(work: Callable[[], Mask]) -> tuple[float, Mask]:
    began = time.process_time()
    mask = work()
    return time.process_time() - began, mask


def mixed(logits: Array) -> float:
    """The share of cells whose corners do not agree."""
    labels = logits.argmax(axis=0)
    same = (labels[:-1, :-1] == labels[1:, :-1]) & (labels[:-1, 1:] == labels[1:, 1:])
    return 1 - float((same & (labels[:-1, :-1] == labels[:-1, 1:])).mean())


def added_mebibytes(name: str, case: Case) -> float:
    """How far the process's peak rises while it makes one mask; for a process of its own."""
    logits, tiny = random_logits(case), Case(case.classes, (2, 2), (4, 4))
    by_torch(random_logits(tiny), tiny)
    ours(random_logits(tiny), tiny, None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    by_torch(logits, case) if name == "torch" else ours(logits, case, None)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def compare(kind: str, logits: Array, case: Case, rounds: int, threads: int | None) -> None:
    """Print one line."""
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0)).transpose(2, 0, 1)
    times: dict[str, list[float]] = {"torch": [], "planes": [], "pixels": []}
    for _ in range(rounds + 1):
        spent, expected = seconds(lambda: by_torch(logits, case))
        times["torch"].append(spent)
        for name, given in (("planes", logits), ("pixels", channels_last)):
            spent, mask = seconds(lambda given=given: ours(given, case, threads))  # type: ignore[misc]
            times[name].append(spent)
            differing = int((mask != expected).sum())
    torch_ms, planes_ms, pixels_ms = (1000 * median(values[1:]) for values in times.values())
    corners = "align_corners" if case.align_corners else "half_pixel"
    print(
        f"| {case.classes} | {case.low[0]}x{case.low[1]} | {case.size[0]}x{case.size[1]} | {corners} | {kind} "
        f"| {mixed(logits):.0%} | {torch_ms:.1f} | {planes_ms:.2f} ({torch_ms / planes_ms:.0f}x) "
        f"| {pixels_ms:.2f} ({torch_ms / pixels_ms:.0f}x) | {differing} |",
        flush=True,
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mask", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    mask = read_mask(arguments.mask)
    print("| classes | logits | mask | corners | kind | mixed | torch, ms | planes, ms | pixels, ms | differing |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        compare("natural", natural_logits(case, mask), case, arguments.rounds, arguments.threads)
        compare("random", random_logits(case), case, arguments.rounds, arguments.threads)
    for name in ("torch", "ours"):
        with get_context("spawn").Pool(1) as process:
            print(f"Memory added at 150 classes, {name}: {process.apply(added_mebibytes, (name, CASES[4])):.0f} MiB")


if __name__ == "__main__":
    main()
