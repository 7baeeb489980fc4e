"""A network as a CoreML package: an ML program for pictures of one size."""

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

from atrous.errors import ConfigError
from atrous.inference.exported_file import METADATA_KEY, ExportCard
from atrous.inference.native_messages import without_native_messages
from atrous.inference.to_onnx import Output, answering
from atrous.networks.segmentation import SegmentationNetwork


def coreml_of(network: SegmentationNetwork, output: Output, size: tuple[int, int]) -> Any:
    """Convert the network, its norms folded, for one picture of a size: a model of coremltools, in float32.

    It takes `image`, float32 [1, 3, H, W], and gives `logits` [1, K, h, w] or `labels` [1, H, W], from iOS 16 on.

    Raises:
        ConfigError: If the converter is not installed, or cannot express the network.
    """
    try:
        with without_native_messages():
            import coremltools
    except ImportError:
        raise ConfigError("The CoreML converter is not installed: run `pip install 'atrous[coreml]'`.") from None
    try:
        with warnings.catch_warnings(), torch.no_grad(), without_native_messages():
            warnings.simplefilter("ignore")
            program = torch.export.export(answering(network, output), (torch.rand(1, 3, *size),))
            return coremltools.convert(
                program.run_decompositions({}),
                outputs=[coremltools.TensorType(name=output)],
                minimum_deployment_target=coremltools.target.iOS16,
                compute_precision=coremltools.precision.FLOAT32,
                skip_model_load=True,
            )
    except Exception as error:  # the converter has many kinds of its own
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ConfigError(f"coremltools cannot convert this network ({cause}): write it as .onnx.") from None


def write_coreml(model: Any, path: Path, card: ExportCard) -> None:
    """Write the package, a folder, with the card in its metadata; what was there is replaced."""
    model.user_defined_metadata[METADATA_KEY] = card.model_dump_json()
    shutil.rmtree(path, ignore_errors=True)
    model.save(str(path))
