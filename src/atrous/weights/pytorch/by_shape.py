"""Any state dict whose shapes fit a network that the user names: by equal names, then by shape and order."""

from collections import defaultdict

import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import NetworkConfig, build_network
from atrous.weights.renaming import COUNTER, PIXELS, Given, Layout, Source, layout_of, linear, renamed

ROLES = ("running_mean", "running_var", "weight", "bias")
SHORTCUTS = ("shortcut", "downsample", "skip")
"""What the branch around a residual block is called; its kernels often have the shape of others in the block."""

Key = tuple[str, tuple[int, ...], bool]
"""Role, shape, and whether it is part of a shortcut: tensors of another key are never confused."""


def layout_by_shape(given: Given, config: NetworkConfig, source: str, num_classes: int | None = None) -> Layout:
    """Return a layout in which tensors of the same name match, and of the others those of one key in their order.

    Args:
        given: Their tensors, in the order in which their network defines them.
        config: What they are said to be.
        source: The file, for messages.
        num_classes: How many classes it has; by default as many as the last of their tensors that can classify.

    Raises:
        CheckpointError: If no tensor can be the classifier's.
    """
    num_classes = num_classes or _num_classes(given, config, source)
    with torch.device("meta"):
        own = build_network(config, num_classes).state_dict()
    own = {name: tensor for name, tensor in own.items() if name not in PIXELS and not name.endswith(COUNTER)}
    ignored = frozenset(name for name in given if name in PIXELS or name.endswith(COUNTER))
    theirs = [name for name in given if name not in ignored]
    same = {name for name in own if name in given and _key(name, own[name]) == _key(name, given[name])}
    waiting = defaultdict(list)
    for name in reversed([name for name in theirs if name not in same]):
        waiting[_key(name, given[name])].append(name)
    by_order = 0
    places: dict[str, str | Source] = {name: name for name in same}
    for name, tensor in own.items():
        candidates = waiting[_key(name, tensor)]
        if name not in same and candidates:
            by_order += len(candidates) > 1
            places[name] = _as_ours(candidates.pop(), given, tensor.ndim)
    notes = (
        f"{len(same)} tensors have our names; the others were matched by shape, {by_order} of them among several of "
        "one shape, in the order of the file: score the network before you rely on it",
    )
    return layout_of("state dict by shapes", config, num_classes, places.get, ignored=ignored, notes=notes)


def _key(name: str, tensor: Tensor) -> Key:
    role = next((role for role in ROLES if name.endswith(role)), "")
    shape = tuple(tensor.shape)
    if shape[2:] == (1, 1):  # a linear layer and a 1x1 convolution are the same
        shape = shape[:2]
    return role, shape, any(word in name for word in SHORTCUTS)


def _as_ours(theirs: str, given: Given, rank: int) -> Source:
    return linear(theirs) if given[theirs].ndim == 2 and rank == 4 else renamed(theirs)


def _num_classes(given: Given, config: NetworkConfig, source: str) -> int:
    """The channels of the last of their tensors that could classify what our network hands to its classifier."""
    with torch.device("meta"):
        own = {name: tensor for name, tensor in build_network(config, 2).state_dict().items() if "classifier" in name}
    wanted = {tuple(tensor.shape[1:]) for name, tensor in own.items() if name.endswith("weight")}
    with_our_names = [name for name in own if name in given and name.endswith("weight")]
    for name in with_our_names or reversed([name for name in given if name.endswith("weight")]):
        tail = tuple(given[name].shape[1:])
        if tail in wanted or (*tail, 1, 1) in wanted:
            return int(given[name].shape[0])
    raise CheckpointError(
        f"{source} has no tensor that could be the classifier of this {config.kind} on a {config.backbone.kind}: "
        "name the network that it is."
    )
