"""Runtimes by model: milliseconds, pictures per second, memory and mIoU on a real split, one thread or more.

Usage: OMP_NUM_THREADS=1 python benchmarks/runtime_table.py MODEL DATASET EXPORTS [--split val] [--only NAME ...]
MODEL is a checkpoint or a name of `atrous models`; EXPORTS is a folder that keeps its exported files, whose making
takes longest. Every runtime has a process of its own, predicts every picture of the split at its own size, and is
scored by one confusion matrix. Times are the median way from picture to mask, without decoding and scoring, after two
pictures; of the processor's time and the clock's, the first is what counts where others use the machine, too. Memory is
the most that the process has held, with Python and the runtime itself.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from atrous.data import open_split, parse_dataset
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.inference.opening import open_predictor

RUNTIMES: dict[str, tuple[str, dict[str, Any]]] = {
    "torch float32": ("", {"runtime": "torch"}),
    "torch bfloat16": ("", {"runtime": "torch", "precision": "bfloat16"}),
    "onnxruntime float32": (".onnx", {"runtime": "onnxruntime"}),
    "OpenVINO float32": (".onnx", {"runtime": "openvino"}),
    "OpenVINO bfloat16": (".onnx", {"runtime": "openvino", "precision": "bfloat16"}),
    "onnxruntime int8": (".int8.onnx", {"runtime": "onnxruntime"}),
    "OpenVINO int8": (".int8.onnx", {"runtime": "openvino"}),
}
WARM_UP = 2


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("exports", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--only", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--alone", choices=RUNTIMES, help="Only this one, in this process.")
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(measured(given.alone, given)))
        return
    print("| runtime | processor, ms | clock, ms | pictures/s | memory, GB | mIoU |\n|---|---|---|---|---|---|")
    for name in given.only:
        done = subprocess.run(
            [sys.executable, *sys.argv, "--alone", name], stdout=subprocess.PIPE, check=True, text=True
        )
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {name} | {row['processor']:.0f} | {row['clock']:.0f} | {1000 / row['clock']:.1f} | {row['memory']:.2f} "
            f"| {row['mean_iou']:.2%} |",
            flush=True,
        )


def measured(name: str, given: argparse.Namespace) -> dict[str, float]:
    """The row of one runtime."""
    suffix, choices = RUNTIMES[name]
    model = exported(given, suffix) if suffix else given.model
    predictor = open_predictor(model, **choices)
    split = open_split(parse_dataset(given.dataset), given.split)
    counted = ConfusionMatrix(split.labels)
    clock, processor = [], []
    for index in range(len(split)):
        sample = split[index]
        began, spent = time.perf_counter(), time.process_time()
        mask = predictor(sample.image).mask
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
        counted.add(sample.mask, mask)
    return {
        "clock": 1000 * median(clock[WARM_UP:]),
        "processor": 1000 * median(processor[WARM_UP:]),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "mean_iou": scores(counted.matrix, split.labels).mean_iou,
    }


def exported(given: argparse.Namespace, suffix: str) -> Path:
    """The exported file, made if it is not there yet; int8 is calibrated on the training pictures."""
    given.exports.mkdir(parents=True, exist_ok=True)
    path: Path = given.exports / f"model{suffix}"
    if not path.exists():
        more = ["--int8", "--data", given.dataset] if "int8" in suffix else []
        subprocess.run(
            [sys.executable, "-m", "atrous", "export", given.model, path, *more], check=True, stdout=sys.stderr
        )
    return path


if __name__ == "__main__":
    main()
