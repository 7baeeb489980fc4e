"""`atrous import`: weights of any ecosystem become a checkpoint, with the proof that they were read right."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from atrous.cli.options import Quiet

if TYPE_CHECKING:
    from atrous.weights.parity import Imported


def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights: .tflite, .pb, .onnx, .pth, .safetensors ...")],
    output: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The checkpoint to write.")],
    *,
    kind: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it
        typer.Option("--as", help="Whose file it is, if unrecognised: tflite, onnx, caffe, pytorch ..."),
    ] = None,
    labels: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--labels", help="voc, cityscapes, ade20k, coco-stuff, deepfashion2, or a file of names."),
    ] = None,
    allow_partial: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--allow-partial", help="A pattern of tensors that may be left over or missing; can be repeated."),
    ] = None,
    network: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--network", help="What a state dict of no known library is: a kind, recipe or checkpoint."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Read weights of another ecosystem and write them as a checkpoint.

    The network is recognised from what the file holds, filled, and compared with the file's own graph where there is
    one. Beside the checkpoint stands the report of every tensor, as JSON.
    """
    from atrous.cli.models_describe import network_choices
    from atrous.config import parse
    from atrous.weights.importing import Kind, import_weights, save_with_report
    from atrous.weights.known_labels import known_labels

    chosen: Kind | None = None if kind is None else parse(Kind, kind, "--as")
    config = None if network is None else network_choices(network, [])[0]
    imported = import_weights(file, chosen, network=config, allow_partial=allow_partial or ())
    if labels is not None:
        imported = imported._replace(labels=known_labels(labels, imported.num_classes))
    report = save_with_report(imported, output, name=output.stem)
    if not quiet:
        print_report(imported)
        print(f"\nWritten: {output}, {report}")


def print_report(imported: "Imported") -> None:
    """Print what was recognised, how it runs, and how exactly it answers."""
    from rich.console import Console

    report, config = imported.report, imported.config
    console = Console(highlight=False, markup=False)
    say = console.print
    say(f"{report.source}: {report.ecosystem}, recognised as {config.kind} on {config.backbone.kind}")
    names = imported.labels.names if imported.labels else None
    listed = f": {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""
    say(f"{imported.num_classes} classes{listed or '; they have no names: give --labels'}")
    for fact, words in report.facts.items():
        say(f"  {fact}: {words}")
    changed = sum(match.how != "as it is" for match in report.matched)
    say(f"{len(report.matched)} tensors matched, {changed} of them rearranged")
    for words, tensors in (
        ("left over", report.left_over),
        ("missing, drawn at random", report.missing),
        ("of another shape", report.other_shape),
    ):
        if tensors:
            say(f"{len(tensors)} {words}: {', '.join(tensors[:4])}{', ...' if len(tensors) > 4 else ''}")
    for note in report.notes:
        say(f"Note: {note}.")
    if report.difference is not None:
        say(f"Its answers differ from those of the file's own graph by {report.difference:.1e} of the largest.")
