"""Damage files of other ecosystems at random, and see that their readers only ever refuse them.

Usage: python benchmarks/fuzz_readers.py READER [--count 100000] [--seed 0]
Prints how many mutants were refused, the slowest, and by how much memory grew. Any exception but a refusal ends it.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from atrous.errors import CheckpointError
from atrous.weights.formats import keras_h5_child
from atrous.weights.formats.bundle import table_entries
from atrous.weights.formats.caffemodel import parse_caffemodel
from atrous.weights.formats.graphdef import parse_graph_def
from atrous.weights.formats.keras_h5_child import limit_memory
from atrous.weights.formats.onnx import parse_onnx
from atrous.weights.formats.operators import MalformedError
from atrous.weights.formats.single_file import parse_single_file
from atrous.weights.formats.tflite import parse_tflite
from atrous.weights.formats.torch_file import read_torch_file
from tests.weights.formats.files import small_graph_def, small_tflite
from tests.weights.fuzzing import mutants
from tests.weights.keras_files import write_keras_h5
from tests.weights.test_from_caffe import written

INDEX = Path(__file__).parents[1] / "tests/files/tensorflow/model.ckpt.index"
SINGLE = INDEX.with_name("single.ckpt")
PLACE = Path(tempfile.mkdtemp()) / "damaged"


def small_onnx() -> bytes:
    """A convolution, a norm and an activation, as torch exports them."""
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU6()).eval()
    file: Any = io.BytesIO()
    torch.onnx.export(layers, (torch.rand(1, 3, 8, 8),), file, dynamo=False)
    content: bytes = file.getvalue()
    return content


def torch_files() -> list[bytes]:
    """The same tensors in all three packings."""
    state = {"a": torch.arange(6.0), "b": torch.ones(2, 2)}
    files = []
    for zipped in (True, False):
        file = io.BytesIO()
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
        files.append(file.getvalue())
    save_file(state, PLACE)
    return [*files, PLACE.read_bytes()]


def small_caffemodel() -> bytes:
    """A convolution with a bias."""
    return written({"conv": ("Convolution", [np.ones((2, 3, 3, 3), np.float32), np.ones(2, np.float32)])})


def parse_torch(data: bytes) -> object:
    """Read a state dict, which is read from a file only."""
    PLACE.write_bytes(data)
    return read_torch_file(PLACE)


def small_keras_h5() -> bytes:
    """Two layers with their weights."""
    write_keras_h5(PLACE, [("conv", [("conv/kernel", [1, 1, 2, 3]), ("conv/bias", [3])]), ("bn", [("bn/gamma", [3])])])
    return PLACE.read_bytes()


class KerasReaders:
    """The process that reads files of Keras, started again whenever one of them kills it."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None

    def __call__(self, data: bytes) -> object:
        """Read a file as the child of `read_keras_h5` does, of which each file has one of its own."""
        PLACE.write_bytes(data)
        self.pool = self.pool or ProcessPoolExecutor(1, initializer=limit_memory)
        try:
            answer = self.pool.submit(keras_h5_child.main, str(PLACE), f"{PLACE}.safetensors").result(timeout=10)
        except (BrokenProcessPool, TimeoutError):
            print("a file that kills or halts its reader", flush=True)
            for process in list(self.pool._processes.values()):
                process.kill()
            self.pool = None
            raise CheckpointError("it makes the HDF5 library fail") from None
        if "error" in answer:
            raise CheckpointError(answer["error"])
        return answer


READERS: dict[str, tuple[Callable[[bytes], object], Callable[[], list[bytes]]]] = {
    "tflite": (parse_tflite, lambda: [small_tflite()]),
    "frozen-graph": (parse_graph_def, lambda: [small_graph_def()]),
    "onnx": (parse_onnx, lambda: [small_onnx()]),
    "pytorch": (parse_torch, torch_files),
    "single-file": (parse_single_file, lambda: [SINGLE.read_bytes()]),
    "keras": (KerasReaders(), lambda: [small_keras_h5()]),
    "caffe": (parse_caffemodel, lambda: [small_caffemodel()]),
    "tensorflow": (lambda data: list(table_entries(data)), lambda: [INDEX.read_bytes()]),
}


def main() -> None:
    """Fuzz one reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    parse, seeds = READERS[arguments.reader]
    files = seeds()
    refused, slowest, began = 0, 0.0, time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in mutants(files, arguments.count, arguments.seed):
        started = time.perf_counter()
        try:
            parse(data)
        except (MalformedError, CheckpointError):
            refused += 1
        slowest = max(slowest, time.perf_counter() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rate = arguments.count / (time.perf_counter() - began)
    print(
        f"{arguments.reader}: {arguments.count:,} mutants, {refused:,} refused, the others read; slowest {slowest:.3f} "
        f"s, memory grown by {grown:.0f} MB, {rate:.0f} mutants/s"
    )


if __name__ == "__main__":
    main()
