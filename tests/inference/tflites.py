"""A LiteRT file of one operator, packed by LiteRT's own schema: a pixel's logits are weighted sums of its colours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.inference.exported_file import ExportCard
from atrous.labels import Mask
from tests.tiny_data import LABELS

SIZE = (128, 160)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
"""[K, 3], of no simple ratios: no pixel has two best classes."""
CARD = ExportCard(
    name="tiny", labels=LABELS, size=SIZE, layout="nhwc", output_stride=1, pixels={"mean": [0.5, 0.5, 0.5]}
)


def pointwise_tflite() -> bytes:
    schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = pytest.importorskip("flatbuffers")
    model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    model.version, model.buffers = 3, [schema.BufferT() for _ in range(3)]
    for buffer, values in zip(model.buffers[1:], (WEIGHTS, np.zeros(3, np.float32)), strict=True):
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.tensors = []
    for name, shape, buffer in (("image", (1, *SIZE, 3), 0), ("w", (3, 1, 1, 3), 1), ("b", (3,), 2)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), 0, buffer
        graph.tensors.append(tensor)
    answer = schema.TensorT()
    answer.name, answer.shape, answer.type, answer.buffer = b"logits", [1, *SIZE, 3], 0, 0
    graph.tensors.append(answer)
    code.deprecatedBuiltinCode = code.builtinCode = 3  # CONV_2D
    code.version = 1
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, 2], [3]
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    operator.builtinOptionsType, operator.builtinOptions = 1, options
    graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write_pointwise(path: Path, card: ExportCard = CARD) -> Path:
    from atrous.inference.to_litert import write_litert

    write_litert(pointwise_tflite(), path, card)
    return path


def expected_mask(image: NDArray[np.uint8]) -> Mask:
    mask: Mask = (image.astype(np.float64) / 255 @ WEIGHTS.T).argmax(axis=2).astype(np.uint8)
    return mask
