"""`atrous export`: a network as a file that predicts without torch."""

from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.options import Model, OutputStride, Quiet
from atrous.errors import ConfigError


def export(
    model: Model,
    output: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")],
    *,
    answer: Annotated[
        str,
        typer.Option("--output", help="logits (at the network's resolution, the fastest) or labels (of every pixel)."),
    ] = "logits",
    output_stride: OutputStride = None,
    quiet: Quiet = False,
) -> None:
    """Write a model as ONNX, for pictures of any size, and make sure that the file answers like the network.

    The file holds names and colours of the classes, pixel scale and scores, so `atrous predict OUT.onnx` needs
    nothing else, and not torch. It takes float32 RGB [B, 3, H, W] in 0..1. Where its answers differ at any of several
    sizes, nothing is written.
    """
    from atrous.config import parse
    from atrous.files import replacing
    from atrous.inference.export_gate import require_agreement
    from atrous.inference.to_onnx import Output, card_of, write_onnx
    from atrous.progress import terminal_progress
    from atrous.weights.checkpoint import load_checkpoint
    from atrous.weights.finding import find_model

    progress = terminal_progress(quiet=quiet)
    if output.suffix.lower() != ".onnx":
        raise ConfigError(f"{output} does not end with .onnx, the one format that is written: give it such a name.")
    wanted: Output = parse(Output, answer, "--output")
    network, info = load_checkpoint(find_model(model, progress))
    if output_stride is not None:
        network = network.with_output_stride(output_stride)
    card = card_of(network, info, wanted)
    with replacing(output) as beside:
        write_onnx(beside, network, card)
        agreement = require_agreement(beside, network, card)
    progress.say(
        f"Written: {output}; at several sizes its logits differ from the network's by at most "
        f"{agreement.difference:.1e} of the largest, and {agreement.same_labels:.2%} of the labels are the same."
    )
