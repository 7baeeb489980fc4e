"""Weights that a training can start from and that are at hand: nothing is fetched unless it is named."""

from collections.abc import Iterator

from atrous.errors import CheckpointError
from atrous.networks import NetworkConfig
from atrous.progress import Progress
from atrous.training.planning.choice import Start
from atrous.training.planning.facts import DataFacts, MachineFacts
from atrous.weights.bundled import bundled_names
from atrous.weights.catalog import CATALOG
from atrous.weights.checkpoint import read_info
from atrous.weights.finding import checkpoint_of, find_model
from atrous.weights.starting import network_of

NONE = "none"
"""As a name: random weights."""
LIGHT = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "mobilenet_edgetpu")
"""Backbones that a CPU trains in minutes."""


def find_start(
    wanted: str | None, data: DataFacts, machine: MachineFacts, progress: Progress | None = None
) -> Start | None:
    """Return the weights to start from: those that are named, or the best that are here already, or none.

    Of those that are here, which come with the package or were fetched before, only networks for segmentation are
    taken, and on a CPU only light ones; the one that knows the most classes by name is the best.

    Args:
        wanted: A path, a name that `atrous models` lists, `none`, or None for what is here.
        data: Whose classes are looked for.
        machine: What must train them.
        progress: Shows a download.

    Raises:
        CheckpointError: If the named weights are none, or classify whole images.
        DownloadError: If they cannot be fetched.
    """
    if wanted == NONE:
        return None
    if wanted is not None:
        path = find_model(wanted, progress)
        return Start(wanted, network_of(path), read_info(path).labels.names)
    fitting = [start for start in _at_hand() if _suits(start.network, machine)]
    return max(fitting, key=lambda start: start.shared(data.classes), default=None)  # the first, of equals


def _at_hand() -> Iterator[Start]:
    fetched = [entry.name for entry in CATALOG if checkpoint_of(entry).is_file()]
    for name in (*bundled_names(), *fetched):
        try:
            path = find_model(name)
            yield Start(name, network_of(path), read_info(path).labels.names)
        except CheckpointError:  # it classifies whole images, or the file is damaged
            continue


def _suits(network: NetworkConfig, machine: MachineFacts) -> bool:
    return network.backbone.in_channels == 3 and (machine.gpu or network.backbone.kind in LIGHT)
