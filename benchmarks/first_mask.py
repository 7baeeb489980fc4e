"""Time from the start of a process to its first mask on disk, for one photo and an exported file.

Usage: python benchmarks/first_mask.py PHOTO MODEL [MODEL ...] [--rounds R]
MODEL is what `atrous predict` takes: .onnx (computed by onnxruntime and by OpenVINO), .xml, .pt2 or a checkpoint. All
take turns, after one round that warms the disk's memory. Printed are medians: of the clock until the mask is written,
and of the processor's time of the whole process, which is what counts where others use the machine, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

RUNTIMES = {".onnx": ("onnxruntime", "openvino"), ".xml": ("openvino",)}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    cases = [(model, each) for model in arguments.models for each in RUNTIMES.get(Path(model).suffix, ("torch",))]
    times: dict[tuple[str, str], list[tuple[float, float]]] = {case: [] for case in cases}
    for _ in range(arguments.rounds + 1):
        for case in cases:
            times[case].append(first_mask(arguments.photo, *case))
    print("| model | runtime | first mask, s | processor, s |\n|---|---|---|---|")
    for (model, runtime), found in times.items():
        clock, processor = (median(values) for values in zip(*found[1:], strict=True))
        print(f"| {Path(model).name} | {runtime} | {clock:.2f} | {processor:.2f} |")


def first_mask(photo: Path, model: str, runtime: str) -> tuple[float, float]:
    """Seconds of the clock until the mask is there, and of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "atrous", "predict", model, str(photo), "-o", folder, "--save", "mask"]
        began = time.time()
        process = subprocess.Popen([*command, "--runtime", runtime, "--quiet"])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        written = (Path(folder) / f"{photo.stem}.png").stat().st_mtime
        return written - began, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
