"""Prediction from a program of `torch.export`, without executing it.

To load such a program is to run whatever its archive asks for. So only its weights, which lie there as plain numbers,
and its description are read: the network is built anew from them.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from atrous.config import parse
from atrous.errors import CheckpointError
from atrous.inference.exported_file import ExportCard, read_card
from atrous.inference.folding import folded
from atrous.networks import NetworkConfig, build_network
from atrous.weights.checkpoint import Checkpoint, CheckpointInfo, require_same_tensors

WEIGHTS = "data/weights/"
TYPES = {5: np.int64, 7: np.float32}
"""Numbers of torch's types: of counts, and of all else that a network holds."""
PREFIX = "network."
"""The program is the network and what is done with its logits."""


def load_program(path: Path) -> Checkpoint:
    """Read the network that a program was made of, its norms folded.

    Raises:
        CheckpointError: If the file is missing, damaged, or was not written by `atrous export`.
    """
    card = read_card(path)
    if card is None or not card.network:
        raise CheckpointError(f"{path} was not written by `atrous export`: give such a file, or a checkpoint.")
    config: NetworkConfig = parse(NetworkConfig, card.network, f"What {path} says of its network")
    network = build_network(config, card.labels.num_classes)
    if network.output_stride != card.output_stride:
        network = network.with_output_stride(card.output_stride)
    network = folded(network)
    try:
        tensors = _weights(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        raise CheckpointError(f"{path} is damaged or of another version of torch: export the model again.") from None
    require_same_tensors(network.state_dict(), tensors, path)
    network.load_state_dict(tensors)
    return Checkpoint(network, _info(card, config))


def _info(card: ExportCard, config: NetworkConfig) -> CheckpointInfo:
    return CheckpointInfo(
        name=card.name, network=config, labels=card.labels, scores=card.scores, provenance=card.provenance
    )


def _weights(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        listed = next(name for name in archive.namelist() if name.endswith("_weights_config.json"))
        place = listed[: listed.index(WEIGHTS) + len(WEIGHTS)]
        entries: dict[str, Any] = json.loads(archive.read(listed))["config"]
        return {name.removeprefix(PREFIX): _tensor(archive, place, entry) for name, entry in entries.items()}


def _tensor(archive: zipfile.ZipFile, place: str, entry: dict[str, Any]) -> Tensor:
    if entry["use_pickle"]:
        raise ValueError("a pickle can be anything")
    shape = [size["as_int"] for size in entry["tensor_meta"]["sizes"]]
    values = np.frombuffer(archive.read(place + entry["path_name"]), TYPES[entry["tensor_meta"]["dtype"]])
    return torch.from_numpy(values.reshape(shape).copy())
