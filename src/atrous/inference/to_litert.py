"""A network as a LiteRT file: pictures of one size, with the channels behind, as is the custom on phones."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from atrous.errors import ConfigError
from atrous.files import replacing
from atrous.inference.exported_file import METADATA_KEY, ExportCard
from atrous.inference.native_messages import without_native_messages
from atrous.inference.to_onnx import Answer, Output, answering
from atrous.networks.segmentation import SegmentationNetwork

ALIGNED = 16
"""Bytes; LiteRT's schema wants weights to begin at multiples of it."""


class ChannelsLast(nn.Module):
    """A network that takes and gives pictures with their channels behind."""

    def __init__(self, answer: Answer) -> None:
        """Take what answers channels first."""
        super().__init__()
        self.answer = answer

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """float32 [1, H, W, 3] to `logits` [1, h, w, K] or `labels` [1, H, W]."""
        found = self.answer(image.permute(0, 3, 1, 2))
        return {self.answer.output: found.permute(0, 2, 3, 1) if self.answer.output == "logits" else found}


def litert_of(network: SegmentationNetwork, output: Output, size: tuple[int, int]) -> bytes:
    """Convert the network, its norms folded, for one picture of a size: a LiteRT file without a card.

    Raises:
        ConfigError: If the converter is not installed, or cannot express the network.
    """
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    try:
        with without_native_messages():
            import litert_torch
    except ImportError:
        raise ConfigError("The LiteRT converter is not installed: run `pip install 'atrous[litert]'`.") from None
    try:
        with warnings.catch_warnings(), torch.no_grad(), without_native_messages():
            warnings.simplefilter("ignore")
            image = torch.rand(1, *size, 3)
            model = litert_torch.convert(
                ChannelsLast(answering(network, output)).eval(), sample_kwargs={"image": image}
            )
            return bytes(model.model_content())
    except Exception as error:  # the converter has many kinds of its own
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ConfigError(f"litert-torch cannot convert this network ({cause}): write it as .onnx.") from None


def write_litert(content: bytes, path: Path, card: ExportCard) -> None:
    """Write a LiteRT file with the card in its metadata.

    Raises:
        OutputError: If the place cannot be written.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    text = schema.BufferT()
    text.data = np.frombuffer(card.model_dump_json().encode(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_KEY, len(model.buffers)
    model.buffers, model.metadata = [*model.buffers, text], [*(model.metadata or ()), entry]
    for buffer in model.buffers:
        behind = content[buffer.offset : buffer.offset + buffer.size]  # where large files have their weights
        buffer.Pack = _packing(schema, np.frombuffer(behind, np.uint8) if buffer.offset > 1 else buffer.data)
    builder = flatbuffers.Builder(2 * len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    with replacing(path) as beside:
        beside.write_bytes(builder.Output())


def _packing(schema: Any, data: Any) -> Any:
    """How one buffer of weights is written, at a multiple of 16 bytes; the schema's own code knows no alignment."""

    def pack(builder: Any) -> Any:
        place = None if data is None or len(data) == 0 else _aligned(builder, np.asarray(data, np.uint8))
        schema.BufferStart(builder)
        if place is not None:
            schema.BufferAddData(builder, place)
        return schema.BufferEnd(builder)

    return pack


def _aligned(builder: Any, data: np.ndarray[Any, np.dtype[np.uint8]]) -> Any:
    builder.StartVector(1, len(data), ALIGNED)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data.tobytes()
    return builder.EndVector()
