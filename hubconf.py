"""For `torch.hub`: every member of the family, trained checkpoints, and predictors.

torch.hub.load("owner/atrous", "deeplab_v3plus", num_classes=21, output_stride=8)
torch.hub.load("owner/atrous", "load", "tf-voc-mobilenet-v2")
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

dependencies = ["torch", "numpy", "pydantic", "safetensors"]

sys.path.insert(0, str(Path(__file__).parent / "src"))  # torch.hub takes the repository as it is

if TYPE_CHECKING:
    from atrous.inference.predictor import Predictor
    from atrous.networks import SegmentationNetwork


def deeplab_v1(num_classes: int = 21, **choices: Any) -> "SegmentationNetwork":
    """DeepLab v1 (arXiv:1412.7062), untrained; `choices` are those of its config."""
    return _built("deeplab_v1", num_classes, choices)


def deeplab_v2(num_classes: int = 21, **choices: Any) -> "SegmentationNetwork":
    """DeepLab v2 (arXiv:1606.00915), untrained; `choices` are those of its config."""
    return _built("deeplab_v2", num_classes, choices)


def deeplab_v3(num_classes: int = 21, **choices: Any) -> "SegmentationNetwork":
    """DeepLabv3 (arXiv:1706.05587), untrained; `choices` are those of its config."""
    return _built("deeplab_v3", num_classes, choices)


def deeplab_v3plus(num_classes: int = 21, **choices: Any) -> "SegmentationNetwork":
    """DeepLabv3+ (arXiv:1802.02611), untrained; `choices` are those of its config."""
    return _built("deeplab_v3plus", num_classes, choices)


def lite_deeplab(num_classes: int = 21, **choices: Any) -> "SegmentationNetwork":
    """LR-ASPP (arXiv:1905.02244), untrained; `choices` are those of its config."""
    return _built("lite_deeplab", num_classes, choices)


def image_classifier(num_classes: int = 1000, **choices: Any) -> "SegmentationNetwork":
    """A backbone with the head that classifies images, untrained; `choices` are those of its config."""
    return _built("image_classifier", num_classes, choices)


def load(model: str) -> "SegmentationNetwork":
    """The trained network of a checkpoint: a path, a name that `atrous models` lists, or hf://owner/model."""
    from atrous.weights.checkpoint import load_checkpoint
    from atrous.weights.finding import find_model

    return load_checkpoint(find_model(model)).network


def predictor(model: str) -> "Predictor":
    """What makes masks of pictures, from the same as `load`."""
    import atrous

    return atrous.load(model)


def _built(kind: str, num_classes: int, choices: dict[str, Any]) -> "SegmentationNetwork":
    from atrous.config import parse
    from atrous.networks import NetworkConfig, build_network

    return build_network(parse(NetworkConfig, {"kind": kind, **choices}, f"torch.hub: {kind}"), num_classes)
