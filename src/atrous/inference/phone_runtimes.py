"""LiteRT and CoreML, which compute on phones, computing here: one picture of one size at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atrous.inference.native_messages import without_native_messages
from atrous.weights.formats.tflite import read_tflite

if TYPE_CHECKING:
    from atrous.inference.runtimes import Session


def litert_session(path: Path, threads: int) -> "Session":
    """Make a LiteRT file ready, which takes [1, H, W, 3] and gives [1, h, w, K] or [1, H, W], with XNNPACK's kernels.

    Raises:
        CheckpointError: If it is damaged; LiteRT itself would follow any offset.
        Exception: As LiteRT raises, for what it cannot compute.
    """
    from ai_edge_litert.interpreter import Interpreter

    read_tflite(path)
    with without_native_messages():
        interpreter = Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    given, answered = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def answer(image: NDArray[np.float32]) -> NDArray[Any]:
        interpreter.set_tensor(given, np.ascontiguousarray(image.transpose(1, 2, 0)[None]))
        interpreter.invoke()
        found: NDArray[Any] = interpreter.get_tensor(answered)[0]
        planes: NDArray[Any] = found.transpose(2, 0, 1) if found.ndim == 3 else found
        return planes

    return lambda batch: np.stack([answer(image) for image in batch])


def coreml_session(path: Path) -> "Session":
    """Make a CoreML package ready, which takes [1, 3, H, W] and gives [1, K, h, w] or [1, H, W]; on macOS alone.

    Raises:
        Exception: As coremltools raises.
    """
    import coremltools

    model = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)

    def answer(image: NDArray[np.float32]) -> NDArray[Any]:
        (found,) = model.predict({"image": np.ascontiguousarray(image[None])}).values()
        first: NDArray[Any] = np.asarray(found)[0]
        return first

    return lambda batch: np.stack([answer(image) for image in batch])
