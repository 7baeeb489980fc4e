"""A choice and why it was made: what a plan consists of."""

from typing import NamedTuple

from atrous.networks import NetworkConfig


class Choice(NamedTuple):
    """One thing that was chosen."""

    name: str
    value: str
    """In words."""
    reason: str
    """One sentence without its full stop."""


class Start(NamedTuple):
    """Weights that a training may start from."""

    model: str
    """As `training.start_from` names it: a path or a name."""
    network: NetworkConfig
    classes: tuple[str, ...]
    folded: bool = False
    """Whether its norms may have been folded into the convolutions, as in most files for phones."""

    def shared(self, classes: tuple[str, ...]) -> int:
        """How many of the wanted classes it knows by name."""
        return len({*self.classes} & {*classes})


class Speed(NamedTuple):
    """What was measured on this machine with this data."""

    seconds_per_picture: float
    """Of training, once it is under way."""
    seconds_per_prediction: float
    """To read, predict and score one picture of val at its own size."""
    steps: int
    """That were measured."""
    batch_size: int
    memory: float
    """GiB that were needed beyond those that were held before, at the peak."""
    seconds_to_begin: float
    """From the first batch on, before the first measured step."""
