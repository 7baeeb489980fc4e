"""A network as a program of `torch.export`, for those who compute with torch and without this package."""

import warnings
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from atrous.errors import ConfigError
from atrous.inference.exported_file import METADATA_KEY, ExportCard
from atrous.inference.to_onnx import TRACED, Output, answering
from atrous.networks.segmentation import SegmentationNetwork


def program_of(network: SegmentationNetwork, output: Output) -> ExportedProgram:
    """Trace the network, its norms folded, for any batch, height and width.

    Raises:
        ConfigError: If torch cannot trace it.
    """
    sizes = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(
                answering(network, output), (torch.rand(TRACED),), dynamic_shapes={"image": sizes}
            )
    except Exception as error:  # torch's tracing has many kinds of its own
        cause = str(error).strip().splitlines()[0][:200]
        raise ConfigError(f"torch.export cannot trace this network ({cause}): write it as .onnx.") from None


def write_program(program: ExportedProgram, path: Path, card: ExportCard) -> None:
    """Write the program with the card in `extra/atrous` of its archive."""
    torch.export.save(program, path, extra_files={METADATA_KEY: card.model_dump_json()})
