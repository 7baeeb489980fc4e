"""The DeepLab family of semantic segmentation as one system.

The names below are loaded when they are first used, so that `import atrous` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from atrous.data import open_split, parse_dataset
    from atrous.errors import AtrousError
    from atrous.evaluation.evaluate import evaluate
    from atrous.images import read_image, read_mask
    from atrous.inference.predictor import Prediction, Predictor, load
    from atrous.labels import LabelSpace
    from atrous.networks import build_network
    from atrous.training.fit import fit
    from atrous.training.recipe import Recipe, read_recipe
    from atrous.training.train import train
    from atrous.weights.importing import import_weights

_HOMES = {
    "AtrousError": "atrous.errors",
    "LabelSpace": "atrous.labels",
    "Prediction": "atrous.inference.predictor",
    "Predictor": "atrous.inference.predictor",
    "Recipe": "atrous.training.recipe",
    "build_network": "atrous.networks",
    "evaluate": "atrous.evaluation.evaluate",
    "fit": "atrous.training.fit",
    "import_weights": "atrous.weights.importing",
    "load": "atrous.inference.predictor",
    "open_split": "atrous.data",
    "parse_dataset": "atrous.data",
    "read_image": "atrous.images",
    "read_mask": "atrous.images",
    "read_recipe": "atrous.training.recipe",
    "train": "atrous.training.train",
}

__all__ = [
    "AtrousError",
    "LabelSpace",
    "Prediction",
    "Predictor",
    "Recipe",
    "__version__",
    "build_network",
    "evaluate",
    "fit",
    "import_weights",
    "load",
    "open_split",
    "parse_dataset",
    "read_image",
    "read_mask",
    "read_recipe",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'atrous' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
