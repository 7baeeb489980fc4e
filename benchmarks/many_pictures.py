"""Compare pictures on disk turned into masks on disk with the network alone, which has its pictures in memory.

Usage: python benchmarks/many_pictures.py [MODEL] [--count 32] [--size 720x960] [--rounds 5] [--threads T]
The pictures are JPEGs of blurred noise. Both take turns; printed are the medians of pictures per second by the clock,
and the median of the ratios of neighbouring turns. One picture after the other, read, predicted and written in one
thread, stands beside them.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

from atrous.images import read_image, write_image
from atrous.inference.many import predict_many
from atrous.inference.opening import open_predictor
from atrous.inference.prediction import Prediction
from atrous.inference.predictor import Predictor


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Blurred noise as JPEGs."""
    chance, paths = np.random.default_rng(0), []
    for number in range(count):
        noise = chance.integers(0, 256, (size[0] // 24, size[1] // 24, 3), np.uint8)
        paths.append(folder / f"{number:04}.jpg")
        write_image(paths[-1], cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC))
    return paths


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="camvid-v3plus-mobilenet-v2")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--size", default="720x960")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    predictor = open_predictor(options.model, runtime="torch")
    assert isinstance(predictor, Predictor)
    height, width = map(int, options.size.split("x"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_pictures(folder, options.count, (height, width))
        images = [read_image(path) for path in paths]

        def save(number: int, prediction: Prediction) -> None:
            prediction.save(folder / "masks" / f"{number}.png")

        def alone() -> None:
            for image in images:
                predictor.logits(image)

        def in_turn() -> None:
            for number, path in enumerate(paths):
                save(number, predictor(path))

        def overlapping() -> None:
            assert all(outcome.error is None for outcome in predict_many(predictor, paths, save))

        ways = {"network alone": alone, "many": overlapping, "one after the other": in_turn}
        for way in ways.values():
            way()
        times = {label: [0.0] * options.rounds for label in ways}
        for turn in range(options.rounds):
            for label, way in ways.items():
                times[label][turn] = seconds(way)
    for label, taken in times.items():
        ratio = median(one / other for one, other in zip(times["network alone"], taken, strict=True))
        print(f"{label:20} {options.count / median(taken):7.2f} pictures/s  {ratio:.2f} of the network alone")


if __name__ == "__main__":
    main()
