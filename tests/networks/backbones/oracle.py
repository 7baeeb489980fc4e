"""The same weights in the network that others wrote."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from tests.networks.randomness import randomize


def weights_of(theirs: nn.Module) -> dict[str, Tensor]:
    """Random weights, given to `theirs` in place."""
    randomize(theirs)
    return dict(theirs.eval().state_dict())


def copy_in_order(theirs: nn.Module, ours: nn.Module) -> None:
    """Give `ours` the tensors of `theirs`, where both name them in the order in which they are used."""
    source = list(weights_of(theirs).values())
    ours.load_state_dict(dict(zip(ours.state_dict(), source, strict=True)))
    ours.eval()


def copy_renamed(theirs: nn.Module, ours: nn.Module, renamed: Callable[[str], str]) -> None:
    """Give `ours` the tensors that `theirs` has under other names."""
    source = weights_of(theirs)
    ours.load_state_dict({name: source[renamed(name)] for name in ours.state_dict()})
    ours.eval()


def answers_of(modules: Iterable[nn.Module], run: Callable[[], Any]) -> list[Tensor]:
    """What each of `modules` gives while `run` runs."""
    answers: list[Tensor] = []
    hooks = [module.register_forward_hook(lambda _module, _inputs, y: answers.append(y.clone())) for module in modules]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return answers


def random_image(*size: int) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


def relative_difference(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).norm() / theirs.norm())


def parameters_with_classifier(backbone: nn.Module, features: int, classes: int = 1000) -> int:
    """Parameters of a backbone and of the one layer that makes it a classifier."""
    return sum(parameter.numel() for parameter in backbone.parameters()) + (features + 1) * classes
