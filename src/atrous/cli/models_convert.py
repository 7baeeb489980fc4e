"""`atrous models convert` and `halve`: a network as another library stores it, or in half the space."""

from pathlib import Path
from typing import Annotated

import typer

from atrous.cli.options import Model


def convert(
    model: Model,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A .pth file, or .safetensors.")],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to", help="torchvision, smp, mmsegmentation, timm, transformers, vainf, jfzhang95, kazuto1011."
        ),
    ],
) -> None:
    """Write a network as a state dict of another library of PyTorch."""
    from atrous.weights.checkpoint import load_checkpoint
    from atrous.weights.finding import find_model
    from atrous.weights.to_pytorch import save_converted, to_pytorch

    converted = to_pytorch(load_checkpoint(find_model(model)), to)
    save_converted(converted, output)
    print(f"{len(converted.tensors)} tensors written as {to}: {output}")
    for note in converted.notes:
        print(f"Note: {note}.")


def halve(
    model: Model,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A .safetensors file.")],
    *,
    to: Annotated[str, typer.Option("--to", help="float16 (finer) or bfloat16 (wider).")] = "float16",
) -> None:
    """Write a checkpoint with its kernels in 16 bits, for half the space; score it again before you quote a score."""
    import torch

    from atrous.errors import ConfigError
    from atrous.weights.checkpoint import load_checkpoint, save_halved
    from atrous.weights.finding import find_model

    types = {"float16": torch.float16, "bfloat16": torch.bfloat16}
    if to not in types:
        raise ConfigError(f"--to {to} is no type of 16 bits: give float16 or bfloat16.")
    path = find_model(model)
    save_halved(output, load_checkpoint(path), types[to])
    print(f"{path.stat().st_size / 1e6:.1f} MB became {output.stat().st_size / 1e6:.1f} MB: {output}")
