"""TensorFlow's checkpoints of research/deeplab and slim: recognised by the names of their variables."""

from collections.abc import Callable

import torch

from atrous.errors import CheckpointError
from atrous.networks import (
    PUBLISHED_CELL,
    BackboneConfig,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
    XceptionConfig,
    build_network,
)
from atrous.networks.backbones.mobilenet_v2 import scaled_channels, width_of
from atrous.networks.segmentation import PixelScaleConfig
from atrous.weights.known_pixels import TENSORFLOW_PIXELS
from atrous.weights.renaming import (
    Given,
    Layout,
    Source,
    convolution_hwio,
    depthwise_hwim,
    layout_of,
    renamed,
    reordered,
)

Place = Callable[[str], str]
"""Takes the place of one of our convolutions, or norms, to the scope of theirs."""

MEAN_PIXELS = PixelScaleConfig(mean=(123.15 / 255, 115.9 / 255, 103.06 / 255), std=(1 / 255, 1 / 255, 1 / 255))
"""What research/deeplab subtracts from 0..255 for its ResNets."""

HEAD_EPSILON = 1e-5
CELL = "meta_architecture"
"""The scope of the dense prediction cell."""
IMAGENET_CLASSES = 1000
"""Of a classifier whose own layer is not in the file; it is then reported as missing."""
SLOTS = ("/Momentum", "/Adam", "/Adam_1", "/RMSProp", "/RMSProp_1", "/ExponentialMovingAverage")
COUNTERS = {"global_step", "_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter"}
MOBILENET_V2_LEVELS = (3, 3, 7, 4)
MOBILENET_V1_LEVELS = (3, 2, 6, 2)


def tensorflow_layout(given: Given, source: str) -> Layout:
    """Return the layout of a checkpoint's variables.

    Raises:
        CheckpointError: If they are of no network that is known here; it shows the first names.
    """
    ignored = frozenset(name for name in given if name.endswith(SLOTS) or name in COUNTERS)
    variables = {name: tensor for name, tensor in given.items() if name not in ignored}
    root = next((name.split("/")[0] for name in variables if name.split("/")[0].lower().startswith(_ROOTS)), None)
    if root is None:
        first = ", ".join(sorted(variables)[:3])
        raise CheckpointError(
            f"{source} has variables of no network that is known here ({first}, ...): there are MobileNet v1 and v2, "
            "ResNet v1 and Xception, of research/deeplab and slim."
        )
    backbone, place, epsilon = _backbone(root, variables)
    if "logits/semantic/weights" in variables:
        return _deeplab(variables, ignored, backbone, place, epsilon)
    return _classifier(root, variables, ignored, backbone, place, epsilon)


_ROOTS = ("mobilenetv1", "mobilenetv2", "resnet_v1", "xception_")


def _backbone(root: str, given: Given) -> tuple[BackboneConfig, Place, float]:
    """The backbone, the scope of each of its places, and the epsilon of its norms."""
    match root.lower().split("_"):
        case ["mobilenetv1"]:
            width = given[f"{root}/Conv2d_0/weights"].shape[3] / 32
            return MobileNetV1Config(width=width), lambda place: f"{root}/{_mobilenet_v1(place)}", 1e-3
        case ["mobilenetv2"]:
            return _mobilenet_v2_config(root, given), lambda place: f"{root}/{_mobilenet_v2(place)}", 1e-3
        case ["xception", depth]:
            xception = XceptionConfig.model_validate({"depth": int(depth)})
            return xception, lambda place: f"{root}/{_xception(place, int(depth))}", 1e-3
        case [*_, "v1", depth]:
            stem = "deeplab" if f"{root}/conv1_1/weights" in given else "torchvision"
            resnet = ResNetConfig.model_validate({"depth": int(depth), "stem": stem, "stride_unit": "last"})
            return resnet, lambda place: f"{root}/{_resnet(place)}", 1e-5
        case _:
            raise CheckpointError(f"the network {root} is none of MobileNet v1, v2, ResNet v1, Xception")


def _mobilenet_v2_config(root: str, given: Given) -> MobileNetV2Config:
    stem, narrow, deepest = (
        given[f"{root}/{name}/weights"].shape[3]
        for name in ("Conv", "expanded_conv_1/project", "expanded_conv_16/project")
    )
    width = width_of(stem, deepest)
    divisor = 8 if scaled_channels(24, width) == narrow else 1
    if divisor == 1:
        width = width_of(stem, deepest, divisor)
    level = "block"
    low_level = given.get("decoder/feature_projection0/weights")
    if low_level is not None and low_level.shape[2] != narrow:
        level = "depthwise"
    return MobileNetV2Config.model_validate({"width": width, "divisor": divisor, "level": level})


def _deeplab(given: Given, ignored: frozenset[str], backbone: BackboneConfig, place: Place, epsilon: float) -> Layout:
    has_cell = f"{CELL}/concat_projection/weights" in given
    if not has_cell and ("image_pooling/weights" not in given or "concat_projection/weights" not in given):
        raise CheckpointError("the checkpoint has no image pooling: another head than that of DeepLab v3 and v3+")
    if has_cell and f"{CELL}/branch{len(PUBLISHED_CELL)}_depthwise/depthwise_weights" in given:
        raise CheckpointError("the checkpoint has another dense prediction cell than the published one")
    count = sum(f"aspp{number}{kind}" in given for number in range(1, 9) for kind in ("/weights", "_pointwise/weights"))
    channels = given[f"{CELL}/concat_projection/weights" if has_cell else "concat_projection/weights"].shape[3]
    plus = "decoder/feature_projection0/weights" in given
    separable = any(
        part in name for part in ("aspp", "decoder_conv", CELL) for name in given if name.endswith("depthwise_weights")
    )
    choices = {
        "backbone": backbone,
        **({"cell": PUBLISHED_CELL} if has_cell else {"rates": tuple(6 * (number + 1) for number in range(count))}),
        "context_channels": channels,
        "separable": separable,
        "padding": "same" if isinstance(backbone, MobileNetV2Config) else "symmetric",
        "resize": "align_corners",
        "pixels": MEAN_PIXELS if isinstance(backbone, ResNetConfig) else TENSORFLOW_PIXELS,
    }
    config: NetworkConfig
    if plus:
        convolutions = [name for name in given if name.startswith("decoder/decoder_conv") and name.endswith("/weights")]
        config = DeepLabV3PlusConfig.model_validate(
            {
                **choices,
                "low_level_channels": given["decoder/feature_projection0/weights"].shape[3],
                "decoder_channels": given[convolutions[0]].shape[3],
                "decoder_convolutions": len(convolutions),
            }
        )
    else:
        config = DeepLabV3Config.model_validate(choices)

    network = _built(config)

    def scope(ours: str) -> str:
        part, _, inner = ours.partition(".")
        if part == "context" and has_cell:
            return f"{CELL}/{_cell(inner)}"
        return place(inner) if part == "backbone" else _head(part, inner)

    def source(ours: str) -> Source | None:
        found = _source(network, ours, scope, epsilon)
        if ours == "context.projection.convolution.weight" and found is not None and not has_cell:
            groups = [given["image_pooling/weights"].shape[3], *[channels] * (count + 1)]
            return reordered(found, groups, (*range(1, count + 2), 0))  # theirs begins with the mean of the image
        return found

    notes = ("output stride 16 is the authors' default; the variables do not say it",)
    return layout_of(
        "research/deeplab", config, given["logits/semantic/weights"].shape[3], source, ignored=ignored, notes=notes
    )


def _classifier(
    root: str, given: Given, ignored: frozenset[str], backbone: BackboneConfig, place: Place, epsilon: float
) -> Layout:
    logits = next((name for name in given if "ogits/" in name and name.endswith("weights")), None)
    hidden = given.get(f"{root}/Conv_1/weights")
    config = ImageClassifierConfig(
        backbone=backbone,
        hidden_channels=None if hidden is None else hidden.shape[3],
        padding="symmetric" if isinstance(backbone, XceptionConfig | ResNetConfig) else "same",
        pixels=MEAN_PIXELS if isinstance(backbone, ResNetConfig) else TENSORFLOW_PIXELS,
    )

    network = _built(config)

    def scope(ours: str) -> str:
        part, _, inner = ours.partition(".")
        match part:
            case "backbone":
                return place(inner)
            case "context":
                return f"{root}/Conv_1"
            case _:
                return (logits or "logits/weights").removesuffix("/weights")

    def source(ours: str) -> Source | None:
        return _source(network, ours, scope, epsilon)

    num_classes = IMAGENET_CLASSES if logits is None else given[logits].shape[-1]
    return layout_of("slim", config, num_classes, source, ignored=ignored)


def _source(network: torch.nn.Module, ours: str, scope: Place, epsilon: float) -> Source | None:
    """Where a tensor of ours comes from: a kernel, a bias, or one of the four of a norm."""
    place, _, role = ours.rpartition(".")
    home, _, layer = place.rpartition(".")
    module = network.get_submodule(place)
    if role == "num_batches_tracked":
        return None
    if isinstance(module, torch.nn.BatchNorm2d):
        norm = f"{scope(home)}/BatchNorm"
        if role == "running_var":
            theirs = epsilon if ours.startswith(("backbone.", "context.hidden")) else HEAD_EPSILON
            return _variance(f"{norm}/moving_variance", theirs - module.eps)
        return renamed(f"{norm}/{ {'weight': 'gamma', 'bias': 'beta', 'running_mean': 'moving_mean'}[role] }")
    where = scope(home if layer == "convolution" else place)
    if role == "bias":
        return renamed(f"{where}/biases")
    if isinstance(module, torch.nn.Conv2d) and module.groups > 1:
        return depthwise_hwim(f"{where}/depthwise_weights")
    return convolution_hwio(f"{where}/weights")


def _variance(name: str, more: float) -> Source:
    """A variance, with what their epsilon has more than ours."""
    if abs(more) < 1e-12:
        return renamed(name)
    words = f"{more:+.3g}, for another epsilon"
    return Source((name,), words, lambda t: t[0] + more, lambda ours: (ours - more,))


def _built(config: NetworkConfig) -> torch.nn.Module:
    with torch.device("meta"):
        return build_network(config, 2)


def _head(part: str, place: str) -> str:
    """The scope of what stands behind the backbone."""
    if part == "classifier":
        return "logits/semantic"
    name, *rest = place.split(".")
    match name:
        case "pointwise":
            return "aspp0"
        case "image_pooling":
            return "image_pooling"
        case "projection":
            return "concat_projection"
        case "low_level":
            return "decoder/feature_projection0"
        case "pyramid":
            return f"aspp{int(rest[0]) + 1}{_step(rest)}"
        case _:
            return f"decoder/decoder_conv{rest[0]}{_step(rest)}"


def _cell(place: str) -> str:
    """The scope of a part of the dense prediction cell."""
    part, *rest = place.split(".")
    return f"branch{rest[0]}{_step(rest)}" if part == "branches" else "concat_projection"


def _step(rest: list[str]) -> str:
    return f"_{rest[1]}" if len(rest) > 1 else ""


def _mobilenet_v1(place: str) -> str:
    part, *rest = place.split(".")
    if part == "stem":
        return "Conv2d_0"
    level, block, step = rest
    return f"Conv2d_{sum(MOBILENET_V1_LEVELS[: int(level)]) + int(block) + 1}_{step}"


def _mobilenet_v2(place: str) -> str:
    part, *rest = place.split(".")
    if part == "stem":
        return "Conv"
    level, block, _, step = rest
    number = sum(MOBILENET_V2_LEVELS[: int(level)]) + int(block)
    return f"expanded_conv{f'_{number}' if number else ''}/{step}"


def _resnet(place: str) -> str:
    part, *rest = place.split(".")
    if part == "stem":
        return f"conv1_{int(rest[0]) + 1}" if rest else "conv1"
    stage, unit, where, *inner = rest
    step = "shortcut" if where == "shortcut" else f"conv{int(inner[0]) + 1}"
    return f"block{int(stage) + 1}/unit_{int(unit) + 1}/bottleneck_v1/{step}"


def _xception(place: str, depth: int) -> str:
    part, *rest = place.split(".")
    entries, middle = {41: (3, 8), 65: (3, 16), 71: (5, 16)}[depth]
    if part == "stem":
        return f"entry_flow/conv1_{int(rest[0]) + 1}"
    if part == "end":
        return f"exit_flow/block2/unit_1/xception_module/separable_conv{int(rest[0]) + 1}_{rest[1]}"
    number, where, *inner = rest
    block = int(number)
    if block < entries:
        home = f"entry_flow/block{block + 1}/unit_1"
    elif block < entries + middle:
        home = f"middle_flow/block1/unit_{block - entries + 1}"
    else:
        home = "exit_flow/block1/unit_1"
    if where == "shortcut":
        return f"{home}/xception_module/shortcut"
    return f"{home}/xception_module/separable_conv{int(inner[0]) + 1}_{inner[1]}"
