"""An exported file must answer like the network that it was made of, at all sizes that it takes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from atrous.errors import ConfigError, ExportError
from atrous.inference.exported_file import ExportCard
from atrous.inference.runtimes import EXTRAS, READERS, Choice, Session, is_installed, open_session
from atrous.networks.segmentation import SegmentationNetwork

SIZES = ((1, 65, 97), (1, 128, 160), (2, 129, 257), (1, 200, 96))
"""Batch, height and width; odd ones, even ones, high ones and wide ones."""
LARGEST_DIFFERENCE = 1e-3
"""Of logits, as a share of the largest."""
SAME_LABELS = 0.999


class Agreement(NamedTuple):
    """How like the network a file answers, at its worst over all sizes."""

    difference: float
    """The largest of two logits, as a share of the largest logit; 0 for a file that gives labels."""
    same_labels: float
    """The smallest share of pixels."""


@torch.inference_mode()
def compare_answers(path: Path, network: SegmentationNetwork, card: ExportCard) -> Agreement:
    """Ask the network and the file, by what computes such files, about smooth pictures drawn from a seed.

    Raises:
        ConfigError: If nothing is installed that could.
        CheckpointError: If the file cannot be read.
    """
    session, differences, shares = _session(path), [0.0], [1.0]
    for number, (batch, height, width) in enumerate(sizes_of(card)):
        coarse = torch.rand(batch, 3, 9, 9, generator=torch.Generator().manual_seed(number))
        image = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
        found = torch.from_numpy(np.asarray(session(image.numpy())))
        if card.output == "logits":
            expected = network.low_resolution_logits(image)
            if found.shape != expected.shape:
                return Agreement(float("inf"), 0.0)
            differences.append(float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-12)))
            shares.append(float((found.argmax(1) == expected.argmax(1)).float().mean()))
        else:
            labels = network(image).argmax(1)
            if found.shape != labels.shape:
                return Agreement(float("inf"), 0.0)
            shares.append(float((found == labels).float().mean()))
    return Agreement(max(differences, key=_nan_last), min(shares))


def sizes_of(card: ExportCard) -> tuple[tuple[int, int, int], ...]:
    """Batch, height and width of the pictures that are asked about."""
    return SIZES if card.size is None else ((1, *card.size), (2, *card.size))


def _session(path: Path) -> Session:
    if path.suffix == ".pt2":
        return _program(path)
    wanted = READERS[path.suffix]
    runtime = next((name for name in wanted if is_installed(name)), None)
    if runtime is None:
        raise ConfigError(f"Nothing can check the exported file: run `pip install 'atrous[{EXTRAS[wanted[0]]}]'`.")
    return open_session(path, Choice(runtime, "float32", "to compare"))


def _program(path: Path) -> Session:
    """To load a program is to execute it: only for a file that was written a moment ago."""
    program = torch.export.load(path).module()
    return lambda batch: np.asarray(program(torch.from_numpy(batch)).numpy())


def require_agreement(path: Path, network: SegmentationNetwork, card: ExportCard) -> Agreement:
    """Return how like the network the file answers, if it does.

    An int8 file is held to the form of its answers alone, and to finite ones: what it loses is to be measured on real
    pictures.

    Raises:
        ExportError: If logits differ by more than a thousandth of the largest, or a thousandth of the labels differs.
    """
    agreement = compare_answers(path, network, card)
    if card.precision == "int8" and np.isfinite(agreement.difference):
        return agreement
    if not (agreement.difference <= LARGEST_DIFFERENCE and agreement.same_labels >= SAME_LABELS):
        raise ExportError(
            f"The exported file answers otherwise than the network (logits differ by {agreement.difference:.1e} of the "
            f"largest, {agreement.same_labels:.2%} of the labels are the same; at most {LARGEST_DIFFERENCE:g} and at "
            f"least {SAME_LABELS:.1%} were expected), and was not kept: please report it with the model's name."
        )
    return agreement


def _nan_last(value: float) -> float:
    return float("inf") if np.isnan(value) else value
