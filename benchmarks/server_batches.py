"""What a batch gains: the time of pictures that go through a network together, over that of one after the other.

Usage: python benchmarks/server_batches.py [--model camvid-v3plus-mobilenet-v2] [--sizes 64x64 128x128 240x320 720x960]
On a CPU the thread's own time is measured, with one thread, so that other programs on the machine matter less; the best
of five rounds counts. `server/computing.py` takes its defaults from here.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from atrous.inference.predictor import Predictor, load

ROUNDS = 5
BATCHES = (2, 4, 8)


def seconds_of(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """How long it takes, by this clock."""
    began = clock()
    work()
    return clock() - began


def compare(predictor: Predictor, size: tuple[int, int], batch: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds per picture, alone and together; the rounds of both take turns."""
    images = list(np.random.default_rng(0).integers(0, 256, (batch, *size, 3), np.uint8))
    rounds = [
        (
            seconds_of(lambda: [predictor.predictions([image]) for image in images], clock),
            seconds_of(lambda: predictor.predictions(images), clock),
        )
        for _ in range(ROUNDS)
    ]
    alone, together = (min(times) / batch for times in zip(*rounds, strict=True))
    return alone, together


def main() -> None:
    """Print a row for each size and batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="camvid-v3plus-mobilenet-v2")
    parser.add_argument("--sizes", nargs="+", default=["64x64", "128x128", "240x320", "720x960"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    predictor = load(arguments.model)
    on_cpu = predictor.device.type == "cpu"
    for words in arguments.sizes:
        height, width = (int(side) for side in words.split("x"))
        for batch in BATCHES:
            alone, together = compare(
                predictor, (height, width), batch, time.thread_time if on_cpu else time.perf_counter
            )
            print(
                f"{words}, {batch} pictures: {alone * 1e3:.1f} ms alone, {together * 1e3:.1f} ms together, "
                f"{together / alone:.2f} of the time",
                flush=True,
            )


if __name__ == "__main__":
    main()
