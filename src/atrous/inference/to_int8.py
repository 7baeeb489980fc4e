"""An ONNX file in 8-bit integers: weights per output channel, activations by what pictures of a data set make of them.

Source: Jacob et al. 2018, arXiv:1712.05877, for the arithmetic; onnxruntime's static quantization computes it.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atrous.errors import ConfigError
from atrous.inference.exported import planes_of


def write_int8(source: Path, path: Path, images: Iterable[NDArray[np.uint8]], num_classes: int) -> None:
    """Quantize a float32 ONNX file for processors: activations as uint8, weights as int8 per output channel.

    The range of each activation is the widest that the pictures make of it. The classifier and what follows it stay
    float32, so that logits keep their fine steps.

    Args:
        source: The file, as `write_onnx` writes it.
        path: Where to.
        images: Some uint8 RGB [H, W, 3] that are like those to come; they are looked at one after the other.
        num_classes: How many channels a classifier has.

    Raises:
        ConfigError: If onnxruntime's quantization is not installed.
    """
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError:
        raise ConfigError("int8 needs the exporter: run `pip install 'atrous[export]'`.") from None
    simplified = path.with_name("simplified.onnx")
    with _without_advice():
        quant_pre_process(str(source), str(simplified), skip_symbolic_shape=True)
        quantize_static(
            str(simplified),
            str(path),
            _Pictures(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_behind_the_decoder(simplified, num_classes),
            calibrate_method=CalibrationMethod.MinMax,
        )
    simplified.unlink()


def _behind_the_decoder(path: Path, num_classes: int) -> list[str]:
    """The names of the classifiers at the end, and of all that follows the first of them."""
    import onnx_ir

    nodes = list(onnx_ir.load(path).graph)
    first = len(nodes)
    for number in reversed([number for number, node in enumerate(nodes) if node.op_type == "Conv"]):
        weight = nodes[number].inputs[1]
        if weight is None or weight.shape is None or weight.shape[0] != num_classes:
            break
        first = number
    return [node.name for node in nodes[first:] if node.name]


class _Pictures:
    """Pictures, as onnxruntime wants to be handed them."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next one by the name of the input; None at their end."""
        image = next(self._images, None)
        return None if image is None else {"image": planes_of(image.astype(np.float32) / np.float32(255))}


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without the hints for programmers that onnxruntime writes to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
