"""Keras's HDF5 files of weights or whole models; their bytes are read in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.weights.formats.files import refused

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHILD = Path(__file__).with_name("keras_h5_child.py")
SECONDS = 3
"""For a small file; the start of the process takes a third of one. Large files get a minute more for each gigabyte."""


class KerasFile(NamedTuple):
    """What a file of Keras holds."""

    weights: dict[str, Tensor]
    """By `layer/role`, such as `Conv1/kernel`, in the order of the model."""
    config: str | None
    """The model's own description as JSON text, where a whole model was saved."""


def is_hdf5(path: Path) -> bool:
    """Whether a file has HDF5's signature: at its start, or behind a block of 512, 1024, 2048 ... bytes."""
    with path.open("rb") as file:
        place = 0
        while len(found := file.read(len(SIGNATURE))) == len(SIGNATURE):
            if found == SIGNATURE:
                return True
            place = max(512, 2 * place)
            file.seek(place)
    return False


def read_keras_h5(path: Path) -> KerasFile:
    """Read a .h5 or .hdf5 file, as `save_weights` of Keras 1 and 2 and `save` of Keras 1 to 3 write it.

    Raises:
        CheckpointError: If there is none, it is damaged or hostile, or h5py is not installed.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    if importlib.util.find_spec("h5py") is None:
        raise CheckpointError(f"{path} is a file of Keras, which h5py reads: pip install 'atrous[keras]'.")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "weights.safetensors"
        answer = _answer_of_child(path, target)
        weights = load_file(target)  # in the order of the alphabet
        return KerasFile({name: weights[name] for name in answer["names"]}, answer["config"])


def _answer_of_child(path: Path, target: Path) -> dict[str, Any]:
    """What the reading process printed; its death, too, is a refusal."""
    # Without -P the folder of the script would come before all libraries.
    command = [sys.executable, "-P", str(CHILD), str(path.resolve()), str(target)]
    seconds = SECONDS + 60 * path.stat().st_size / 2**30
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PATH": "::"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, env=environment, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        answer = {"error": "it keeps its reader busy without end"}
    except ValueError:
        answer = {"error": "it makes the HDF5 library fail"}
    if "error" in answer:
        raise refused(path, "file of Keras", ValueError(answer["error"]))
    return answer
