"""`atrous models describe`: what a network is made of, and what is known of released weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from atrous.cli.options import parsed_size

if TYPE_CHECKING:
    from atrous.networks import NetworkConfig
    from atrous.networks.describe import NetworkDescription, Stage
    from atrous.networks.reach import Reach
    from atrous.weights.catalog import ReleasedWeights

VOC_CLASSES = 21


def describe(
    model: Annotated[str, typer.Argument(metavar="X", help="A kind, a recipe, a checkpoint or a released name.")],
    overrides: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Argument(metavar="KEY=VALUE", help="Changes to its choices, such as output_stride=8."),
    ] = None,
    *,
    size: Annotated[str, typer.Option("--size", help="Height and width of the picture.")] = "513x513",
    classes: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--classes", min=1, help="Number of classes; by default those of the checkpoint, or VOC's 21."),
    ] = None,
) -> None:
    """Show a network stage by stage: strides, rates, parameters, multiply-adds, receptive field.

    Below stand the totals, and the differences from the paper, if there are any.
    """
    from atrous.networks.describe import describe_network
    from atrous.weights.bundled import bundled, card_of
    from atrous.weights.catalog import CATALOG
    from atrous.weights.finding import checkpoint_of, find_model
    from atrous.weights.hub import HUB

    entry = next((entry for entry in CATALOG if entry.name == model), None)
    if (ours := bundled(model)) is not None:
        print(card_of(model))
        model = str(ours)
    elif entry is not None:
        print_card(entry)
        if not checkpoint_of(entry).exists():
            return
        model = str(checkpoint_of(entry))
    elif model.startswith(HUB):
        model = str(find_model(model))
    config, known_classes = network_choices(model, overrides or [])
    print_description(describe_network(config, classes or known_classes, parsed_size(size)), config)


def print_card(entry: "ReleasedWeights") -> None:
    """Print what is known of released weights."""
    from atrous.weights.finding import checkpoint_of, file_of

    print(f"{entry.name}: {entry.what}, trained on {entry.trained_on}")
    for score in entry.scores:
        print(f"  mIoU {score.mean_iou:.2f} on {score.data} ({score.protocol}), as published")
    if not entry.scores:
        print("  mIoU: not published")
    print(f"  licence: {entry.licence}")
    print(f"  page: {entry.page}")
    for number, address in enumerate(entry.addresses):
        print(f"  {'mirror' if number else 'address'}: {address}")
    if entry.megabytes is not None:
        print(f"  size: about {entry.megabytes:g} MB")
    digits = f"{entry.sha256} ..." if entry.sha256 and len(entry.sha256) < 64 else entry.sha256
    print(f"  SHA-256: {digits or 'not published'}")
    if checkpoint_of(entry).exists():
        print(f"  here: {checkpoint_of(entry)}")
    elif entry.not_read:
        print(f"  cannot be imported yet: {entry.not_read}")
    elif entry.by_hand:
        print(f"  to fetch by hand: open {entry.by_hand} and put the file there as {file_of(entry)}")
    else:
        print(f"  not here yet: atrous models download {entry.name}")


def network_choices(model: str, overrides: list[str]) -> "tuple[NetworkConfig, int]":
    """The network that is meant, and its number of classes as far as that is known."""
    from atrous.config import nearest, overridden, override, parse, read_yaml
    from atrous.errors import ConfigError
    from atrous.networks import NetworkConfig
    from atrous.networks.family_members import MEMBERS
    from atrous.weights.checkpoint import read_info

    path = Path(model)
    data: dict[str, Any]
    known_classes = VOC_CLASSES
    if path.suffix in (".yaml", ".yml"):
        recipe = read_yaml(path)
        if not isinstance(recipe.get("network"), dict):
            raise ConfigError(f"{path} has no table `network`: give a recipe, such as those in recipes/.")
        data = recipe["network"]
    elif path.suffix == ".safetensors" or path.exists():
        info = read_info(path)
        data, known_classes = info.network.model_dump(), info.labels.num_classes
    elif model in MEMBERS:
        data = {"kind": model}
    else:
        raise ConfigError(
            f"There is no network `{model}`, and no such file; {nearest(model, MEMBERS)}; or give a recipe (.yaml), a "
            "checkpoint (.safetensors) or a name that `atrous models` lists."
        )
    within = [assignment.removeprefix("network.") for assignment in overrides]
    config: NetworkConfig = parse(NetworkConfig, override(data, within), overridden(model, overrides))
    return config, known_classes


def print_description(description: "NetworkDescription", config: "NetworkConfig") -> None:
    """Print the table of the stages, the totals and the differences from the paper."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    height, width = description.size
    title = f"{config.kind} on {config.backbone.kind}, {description.num_classes} classes, {height}x{width}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True, overflow="fold")
    for name in ("stride", "rates", "channels", "params", "mult-adds", "sees"):
        table.add_column(name, justify="right", no_wrap=name != "rates")
    for stage in description.stages:
        table.add_row(*_row(stage))
    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print(table)
    training = description.training_parameters
    extra = f", and {training:,} in training only" if training else ""
    console.print(f"Parameters: {description.parameters:,}{extra}")
    console.print(f"Multiply-adds: {description.multiply_adds / 1e9:.2f} G per picture of {height}x{width}")
    console.print(f"Receptive field: {_words(description.reach)}")
    if not description.deviations:
        console.print("Differences from the paper: none")
        return
    console.print("Differences from the paper:")
    for sentence in description.deviations:
        console.print(f"- {sentence}")


def _row(stage: "Stage") -> tuple[str, ...]:
    rates = ", ".join(str(v) if v == h else f"{v}x{h}" for v, h in stage.rates)
    name = f"{stage.name} (training)" if stage.training_only else stage.name
    stride = "whole" if stage.size == (1, 1) else f"{stage.output_stride:g}"
    return (
        name,
        stride,
        rates or "-",
        str(stage.channels),
        _short(stage.parameters),
        _short(stage.multiply_adds),
        _sees(stage.reach),
    )


def _short(count: int) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}" if count < 999.5 * unit else f"{count / unit:.0f}{name}"
    return str(count)


def _sees(reach: "Reach") -> str:
    vertical, horizontal = reach.field
    field = str(vertical) if vertical == horizontal else f"{vertical}x{horizontal}"
    return f"{field} + all" if reach.whole_image else field


def _words(reach: "Reach") -> str:
    vertical, horizontal = reach.field
    mean = ", and through its mean the whole picture" if reach.whole_image else ""
    return f"{vertical}x{horizontal} pixels{mean}"
