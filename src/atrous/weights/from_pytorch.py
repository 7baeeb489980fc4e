"""PyTorch's state dicts: recognised by their names, read and written through layouts."""

from collections.abc import Callable

from atrous.errors import CheckpointError
from atrous.weights.pytorch.jfzhang95 import jfzhang95_layout
from atrous.weights.pytorch.kazuto1011 import kazuto1011_layout
from atrous.weights.pytorch.mmsegmentation import mmsegmentation_layout
from atrous.weights.pytorch.smp import smp_layout
from atrous.weights.pytorch.timm import timm_layout
from atrous.weights.pytorch.torchvision import torchvision_layout
from atrous.weights.pytorch.transformers import transformers_layout
from atrous.weights.pytorch.vainf import vainf_layout
from atrous.weights.renaming import Given, Layout

_LAYOUTS: dict[str, Callable[[Given], Layout | None]] = {
    "torchvision": torchvision_layout,
    "smp": smp_layout,
    "vainf": vainf_layout,
    "jfzhang95": jfzhang95_layout,
    "kazuto1011": kazuto1011_layout,
    "mmsegmentation": mmsegmentation_layout,
    "timm": timm_layout,
    "transformers": transformers_layout,
}
"""By the names that `--to` has."""


def pytorch_layout(given: Given, source: str) -> Layout:
    """Return the layout of a state dict, recognised by its names and shapes.

    Raises:
        CheckpointError: If it is of no library that is known here; it shows the first names.
    """
    for recognize in _LAYOUTS.values():
        try:
            layout = recognize(given)
        except (KeyError, ValueError, IndexError):  # it begins like one, and then is another
            continue
        if layout is not None:
            return layout
    first = ", ".join(sorted(given)[:3])
    raise CheckpointError(
        f"{source} has the names of no library that is known here ({first}, ...): there are torchvision, "
        "segmentation-models-pytorch, VainF, jfzhang95 and giovanniguidi, kazuto1011, mmsegmentation, timm and "
        "transformers; any other file is read as the network that you name with --network."
    )
