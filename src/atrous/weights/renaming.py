"""Layouts: how another library names and lays out the tensors of one of our networks, in both directions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import NetworkConfig, build_network
from atrous.weights.parity import Match

PIXELS = ("pixels.mean", "pixels.std")
COUNTER = "num_batches_tracked"


def _first(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0]


def _alone(tensor: Tensor) -> tuple[Tensor, ...]:
    return (tensor,)


@dataclass(frozen=True)
class Source:
    """Where a tensor of ours comes from, and how it goes back there."""

    names: tuple[str, ...]
    """Theirs; mostly one."""
    how: str = "as it is"
    """For the report."""
    read: Callable[[Sequence[Tensor]], Tensor] = _first
    """Ours from theirs, in the order of `names`."""
    write: Callable[[Tensor], Sequence[Tensor]] = _alone
    """Theirs from ours, in the order of `names`."""


class Layout(NamedTuple):
    """All that is needed to read a network from, or write it to, the tensors of another library."""

    ecosystem: str
    config: NetworkConfig
    num_classes: int
    sources: dict[str, Source]
    """By our names. Pixel scale and batch counters need no entry."""
    ignored: frozenset[str] = frozenset()
    """Their names that mean nothing to a network that predicts: optimizer slots, counters, a classifier of ImageNet."""
    notes: tuple[str, ...] = ()


Given = Mapping[str, Tensor]
Namer = Callable[[str], str | Source | None]
"""Takes the name of one of our tensors to theirs; none where they have no such tensor."""


def layout_of(
    ecosystem: str,
    config: NetworkConfig,
    num_classes: int,
    name: Namer,
    *,
    ignored: frozenset[str] = frozenset(),
    notes: tuple[str, ...] = (),
) -> Layout:
    """Return the layout in which `name` says where each of our tensors comes from."""
    with torch.device("meta"):
        own = build_network(config, num_classes).state_dict()
    sources = {}
    for ours in own:
        theirs = name(ours) if ours not in PIXELS else None
        if theirs is not None:
            sources[ours] = renamed(theirs) if isinstance(theirs, str) else theirs
    counters = frozenset(
        theirs for ours, source in sources.items() if ours.endswith(COUNTER) for theirs in source.names
    )
    return Layout(ecosystem, config, num_classes, sources, ignored | counters, notes)


class Filled(NamedTuple):
    """What a layout made of tensors."""

    tensors: dict[str, Tensor]
    """By our names; those that are missing or of another shape are as a new network has them."""
    matched: tuple[Match, ...]
    left_over: tuple[str, ...]
    missing: tuple[str, ...]
    other_shape: tuple[str, ...]


def fill(layout: Layout, given: Mapping[str, Tensor]) -> Filled:
    """Take every tensor of the layout's network from `given`; what does not fit is listed, and left as it is drawn."""
    torch.manual_seed(0)
    tensors = build_network(layout.config, layout.num_classes).state_dict()
    matched, missing, other_shape, used = [], [], [], set(layout.ignored)
    for name, own in tensors.items():
        source = layout.sources.get(name)
        if source is None and (name in PIXELS or name.endswith(COUNTER)):
            continue
        if source is None or not all(theirs in given for theirs in source.names):
            if not name.endswith(COUNTER):
                missing.append(name)
            continue
        used.update(source.names)
        read = _read(source, given)
        if read is None or read.shape != own.shape:
            shapes = " and ".join(str(list(given[theirs].shape)) for theirs in source.names)
            other_shape.append(f"{' + '.join(source.names)} {shapes} where {name} is {list(own.shape)}")
            continue
        tensors[name] = read.to(own.dtype).contiguous().clone()
        matched.append(Match(ours=name, theirs=source.names, how=source.how))
    left_over = tuple(sorted(given.keys() - used))
    return Filled(tensors, tuple(matched), left_over, tuple(missing), tuple(other_shape))


def _read(source: Source, given: Mapping[str, Tensor]) -> Tensor | None:
    try:
        return source.read([given[theirs] for theirs in source.names])
    except (RuntimeError, IndexError, ValueError):  # a rank or size that the arrangement cannot have
        return None


def spread(layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of ours under the names, and in the arrangement, of the layout.

    Raises:
        CheckpointError: If a tensor of ours has no place there.
    """
    theirs: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        source = layout.sources.get(name)
        if source is not None:
            theirs.update(zip(source.names, source.write(tensor), strict=True))
        elif name not in PIXELS and not name.endswith(COUNTER):
            raise CheckpointError(f"The layout of {layout.ecosystem} has no place for the tensor {name}.")
    return theirs


def renamed(name: str) -> Source:
    """A tensor that only has another name."""
    return Source((name,))


def convolution_hwio(name: str) -> Source:
    """TensorFlow's kernel [height, width, in, out]."""
    return Source((name,), "transposed", lambda t: t[0].permute(3, 2, 0, 1), lambda ours: (ours.permute(2, 3, 1, 0),))


def depthwise_hwim(name: str) -> Source:
    """TensorFlow's depthwise kernel [height, width, channels, 1]."""
    return Source((name,), "transposed", lambda t: t[0].permute(2, 3, 0, 1), lambda ours: (ours.permute(2, 3, 0, 1),))


def linear(name: str) -> Source:
    """The weights [out, in] of a linear layer, as a 1x1 convolution."""
    return Source((name,), "as a 1x1 convolution", lambda t: t[0][:, :, None, None], lambda ours: (ours[:, :, 0, 0],))


def zeros(count: int) -> Source:
    """A bias of ours that they do not have."""
    return Source((), "zero, as theirs has none", lambda _: torch.zeros(count), lambda _: ())


def shifted(name: str, amount: float) -> Source:
    """A tensor to whose values a number is added, such as the difference of two epsilons to variances."""
    return Source((name,), f"{amount:g} added", lambda t: t[0] + amount, lambda ours: (ours - amount,))


def halves_exchanged(name: str) -> Source:
    """A kernel whose first half of the input channels is our second one."""

    def exchanged(kernel: Tensor) -> Tensor:
        return torch.cat(kernel.chunk(2, dim=1)[::-1], dim=1)

    return Source((name,), "input channels reordered", lambda t: exchanged(t[0]), lambda ours: (exchanged(ours),))


def reordered(source: Source, groups: Sequence[int], order: Sequence[int]) -> Source:
    """`source` with the groups of its input channels in another order.

    Args:
        source: Of a kernel.
        groups: How many input channels each group has, in their order.
        order: Which of their groups is our first, second, ...
    """
    starts = [sum(groups[:index]) for index in range(len(groups))]
    columns = torch.cat([torch.arange(starts[index], starts[index] + groups[index]) for index in order])
    back = torch.argsort(columns)
    return Source(
        source.names,
        f"{source.how}, input channels reordered".removeprefix("as it is, "),
        lambda t: source.read(t)[:, columns],
        lambda ours: source.write(ours[:, back]),
    )
