"""Caffe's models: a protocol buffer of layers with their blobs of weights."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from atrous.weights.formats.files import read_bytes, refused
from atrous.weights.formats.operators import Array, MalformedError
from atrous.weights.formats.protobuf import Message

MOST_LAYERS = 20_000

# Of the older form, in which a layer's type is a number: those that have weights.
_OLD_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}


class CaffeLayer(NamedTuple):
    """A layer with its weights."""

    name: str
    type: str
    blobs: tuple[Array, ...]
    """float32 each, of the shape that the file says."""
    epsilon: float
    """Of a batch normalization."""


def read_caffemodel(path: Path) -> list[CaffeLayer]:
    """Read the layers of a .caffemodel, of today's form or of the older one.

    Raises:
        CheckpointError: If the file is missing, cut off, or no such model.
    """
    data = read_bytes(path)
    try:
        return parse_caffemodel(data)
    except MalformedError as error:
        raise refused(path, "caffemodel", error) from None


def parse_caffemodel(data: bytes) -> list[CaffeLayer]:
    """Read the layers of a caffemodel from its bytes.

    Raises:
        MalformedError: If they are none.
    """
    network = Message(memoryview(data))
    new, old = network.messages(100), network.messages(2)
    if len(new) + len(old) > MOST_LAYERS:
        raise MalformedError(f"it claims {len(new) + len(old):,} layers")
    layers = [_layer(message, name=1, kind=message.string(2), blobs=7) for message in new]
    layers += [
        _layer(message, name=4, kind=_OLD_TYPES.get(message.integer(5), f"type {message.integer(5)}"), blobs=6)
        for message in old
    ]
    if not any(layer.blobs for layer in layers):
        raise MalformedError("no layer of it has weights")
    return layers


def _layer(message: Message, *, name: int, kind: str, blobs: int) -> CaffeLayer:
    epsilon = message.message(139).float(3, 1e-5)
    return CaffeLayer(message.string(name), kind, tuple(_blob(blob) for blob in message.messages(blobs)), epsilon)


def _blob(blob: Message) -> Array:
    """A BlobProto; the older form has four sizes instead of a shape."""
    values = blob.numbers(5, "<f4")
    if 8 in blob:
        values = blob.numbers(8, "<f8").astype(np.float32)
    shape = tuple(blob.message(7).integers(1)) if 7 in blob else tuple(blob.integer(field, 1) for field in (1, 2, 3, 4))
    count = 1
    for side in shape:
        if side < 0:
            raise MalformedError("a blob of negative size")
        count *= side
    if count != values.size:
        raise MalformedError(f"a blob of shape {list(shape)} with {values.size:,} values")
    return values.reshape(shape)
