"""kazuto1011's deeplab-pytorch: DeepLab v2 on ResNet-101, with one scale or three."""

from atrous.networks import DeepLabV2Config, NetworkConfig
from atrous.weights.known_pixels import CAFFE_PIXELS
from atrous.weights.pytorch.parts import pair
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of


def kazuto1011_layout(given: Given) -> Layout | None:
    """Return the layout of kazuto1011's deeplab-pytorch, DeepLab v2 on ResNet-101 with or without scales, or none."""
    prefix = next((p for p in ("base.", "scale.", "") if f"{p}aspp.c0.weight" in given), None)
    if prefix is None or f"{prefix}layer2.block1.reduce.conv.weight" not in given:
        return None
    count = sum(name.startswith(f"{prefix}aspp.c") and name.endswith(".weight") for name in given)
    config = DeepLabV2Config(rates=tuple(6 * (number + 1) for number in range(count)), pixels=CAFFE_PIXELS)
    if not prefix:
        config = config.model_copy(update={"scales": (1.0,)})
    classes = given[f"{prefix}aspp.c0.weight"].shape[0]
    return layout_of("kazuto1011/deeplab-pytorch", config, classes, _kazuto1011_names(prefix))


def kazuto1011_names(config: NetworkConfig) -> Namer | None:
    """Return kazuto1011's names for the tensors of a network, or none if it has no such network."""
    if not isinstance(config, DeepLabV2Config) or config.backbone.kind != "resnet" or config.hidden_channels:
        return None
    return _kazuto1011_names("base." if len(config.scales) > 1 else "")


def _kazuto1011_names(prefix: str) -> Namer:
    def name(ours: str) -> str | Source | None:
        part, *rest = ours.split(".")
        if part == "classifier":
            return f"{prefix}aspp.c{rest[1]}.{rest[2]}"
        if rest[0] == "stem":
            return f"{prefix}layer1.conv1.{pair(ours, 'conv', 'bn')}"
        _, stage, block, where, *inner = rest
        step = "shortcut" if where == "shortcut" else ("reduce", "conv3x3", "increase")[int(inner[0])]
        return f"{prefix}layer{int(stage) + 2}.block{int(block) + 1}.{step}.{pair(ours, 'conv', 'bn')}"

    return name
