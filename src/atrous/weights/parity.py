"""What an import did: the proof, tensor by tensor, that nothing was read wrong."""

from typing import NamedTuple

from pydantic import Field
from torch import Tensor

from atrous.config import Config
from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig
from atrous.networks.padding import Padding


class Match(Config):
    """One tensor of ours and where it came from."""

    ours: str
    theirs: tuple[str, ...]
    how: str
    """Such as "as it is", "transposed", "norm folded into the convolution"."""


class ParityReport(Config):
    """What was read from a file, what was not, and how the network must run to answer as it did there."""

    source: str
    """The file's name."""
    sha256: str
    ecosystem: str
    """Whose layout it is: tflite, torchvision, research/deeplab, ..."""
    matched: tuple[Match, ...]
    left_over: tuple[str, ...] = ()
    """Tensors of the file that no part of the network takes."""
    missing: tuple[str, ...] = ()
    """Tensors of the network that the file does not have; they were drawn at random."""
    other_shape: tuple[str, ...] = ()
    """What has its place but not its shape, with both shapes."""
    ignored: tuple[str, ...] = ()
    """Tensors that mean nothing to a network that predicts, such as those of the optimizer."""
    facts: dict[str, str] = Field(default_factory=dict)
    """How the network runs: batch norm, pixels, padding, resize, output stride, rates."""
    notes: tuple[str, ...] = ()
    difference: float | None = None
    """Largest difference of the logits to those of the file's own graph, relative to the largest of these; none where
    the file holds no graph."""


class Imported(NamedTuple):
    """A network as it was read, in the terms of this package."""

    config: NetworkConfig
    num_classes: int
    tensors: dict[str, Tensor]
    """By our names: all of the network's state."""
    labels: LabelSpace | None
    """None where the file does not name its classes."""
    report: ParityReport


def describe_facts(config: NetworkConfig) -> dict[str, str]:
    """Say how a network of `config` runs, in words, for the report."""
    norm, pixels = config.batch_norm, config.pixels
    facts = {
        "output stride": str(config.output_stride),
        "padding": _PADDINGS[config.padding],
        "resize": config.resize,
        "pixels": f"{pixels.order}, mean {_listed(pixels.mean)}, std {_listed(pixels.std)}, of 0..1",
        "batch norm epsilon": "of the backbone" if norm.epsilon is None else f"{norm.epsilon:g}",
        "batch norm momentum": "of torch" if norm.momentum is None else f"{norm.momentum:g}",
    }
    rates = getattr(config, "rates", None)
    return facts if rates is None else {**facts, "rates": f"{list(rates)}, stated for the output stride of the paper"}


def _listed(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.4g}" for value in values)


_PADDINGS: dict[Padding, str] = {
    "symmetric": "symmetric",
    "same": "SAME of TensorFlow where it strides",
    "same_stem": "SAME of TensorFlow in the first convolution, else symmetric",
    "same_stem_then_behind": "SAME of TensorFlow in the first convolution, then at the bottom and right at any size",
}
