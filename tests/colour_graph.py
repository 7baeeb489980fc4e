"""An ONNX file that reads classes off colours, written by hand: what others would export, in a moment."""

from pathlib import Path

import numpy as np
import pytest

from atrous.inference.exported_file import METADATA_KEY, ExportCard
from tests.tiny_data import LABELS

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CARD = ExportCard(name="colour graph", labels=LABELS)


def write_colour_graph(path: Path, *, batch: int | str = "b", card: ExportCard | None = CARD) -> Path:
    """Write what `tests.tiny_data.network_that_knows_colours` computes; a batch of 1 takes one picture at a time."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    colours = np.array(LABELS.colors, np.float32) / 255
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])],
        "colours",
        [helper.make_tensor_value_info("image", float32, [batch, 3, "h", "w"])],
        [helper.make_tensor_value_info("logits", float32, [batch, LABELS.num_classes, "h", "w"])],
        [
            onnx.numpy_helper.from_array(2 * colours[:, :, None, None], "weight"),
            onnx.numpy_helper.from_array(-(colours**2).sum(axis=1), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card.model_dump_json()} if card else {})
    onnx.save(model, path)
    return path
