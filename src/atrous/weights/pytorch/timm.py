"""timm's own names: MobileNetV2 and MobileNetV3; its ResNets have torchvision's."""

from atrous.networks import ImageClassifierConfig, MobileNetV2Config, MobileNetV3Config, NetworkConfig
from atrous.networks.backbones.mobilenet_v2 import width_of
from atrous.networks.layers import BatchNormConfig
from atrous.weights.pytorch.parts import by_number, in_order
from atrous.weights.renaming import Given, Layout, Namer, Source, layout_of, linear

# Their stages, as (level, first block) of ours: timm gives each row of the paper's table a stage of its own.
_MOBILENET_V2_STAGES = ((0, 0), (0, 1), (1, 0), (2, 0), (2, 4), (3, 0), (3, 3))
_NORMS = {"expand": ("conv_pw", "bn1"), "depthwise": ("conv_dw", "bn2"), "project": ("conv_pwl", "bn3")}
_NORMS_OF_FIRST = {"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}

_IN_USE = (
    *("conv_stem", "conv", "conv_pw", "bn1", "blocks", "conv_dw", "bn2"),
    *("se", "conv_reduce", "conv_expand", "conv_pwl", "bn3"),
)
_IN_USE_OF_FIRST = ("-", "-", "conv_dw", "bn1", "blocks", "se", "conv_reduce", "conv_expand", "conv_pw", "bn2")
"""The modules in the order of their use; a block that does not expand has the pointwise convolution last."""


def timm_layout(given: Given) -> Layout | None:
    """Return the layout of a MobileNetV2 or V3 classifier of timm, or none if it is not one."""
    if "conv_stem.weight" not in given or "classifier.weight" not in given:
        return None
    if "conv_head.bias" in given:
        return _mobilenet_v3(given)
    if "blocks.6.0.conv_pwl.weight" in given and "blocks.0.0.se.conv_reduce.weight" not in given:
        return _mobilenet_v2(given)
    return None


def timm_names(config: NetworkConfig) -> Namer | None:
    """Return timm's names for the tensors of a network, or none if it has no such network."""
    known = isinstance(config, ImageClassifierConfig) and isinstance(config.backbone, MobileNetV2Config)
    return _mobilenet_v2_name if known else None


def _mobilenet_v2(given: Given) -> Layout:
    width = width_of(given["conv_stem.weight"].shape[0], given["blocks.6.0.conv_pwl.weight"].shape[0])
    config = ImageClassifierConfig(
        backbone=MobileNetV2Config(width=width),
        hidden_channels=given["conv_head.weight"].shape[0],
    )
    return layout_of("timm", config, given["classifier.weight"].shape[0], _mobilenet_v2_name)


def _mobilenet_v2_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "classifier":
        return linear("classifier.weight") if place == "weight" else "classifier.bias"
    layer, tensor = place.rsplit(".", 2)[-2:]
    if part == "context" or place.startswith("stem."):
        convolution, norm = ("conv_head", "bn2") if part == "context" else ("conv_stem", "bn1")
        return f"{convolution if layer == 'convolution' else norm}.{tensor}"
    _, level, block, _, where, *_ = place.split(".")
    stage = max(index for index, start in enumerate(_MOBILENET_V2_STAGES) if start <= (int(level), int(block)))
    convolution, norm = (_NORMS if stage else _NORMS_OF_FIRST)[where]
    home = f"blocks.{stage}.{int(block) - _MOBILENET_V2_STAGES[stage][1]}"
    return f"{home}.{convolution if layer == 'convolution' else norm}.{tensor}"


def _mobilenet_v3(given: Given) -> Layout:
    large = "blocks.6.0.conv.weight" in given
    stem = given["conv_stem.weight"].shape[0]
    config = ImageClassifierConfig(
        backbone=MobileNetV3Config(size="large" if large else "small", width=stem / 16),
        pooled_channels=given["conv_head.weight"].shape[0],
        batch_norm=BatchNormConfig(epsilon=1e-5),  # unlike its makers'
    )
    names = in_order(config, given, ("conv_stem.", "bn1.", "blocks."), lambda name: _place(name, given))

    def name(ours: str) -> str | Source | None:
        part, _, place = ours.partition(".")
        match part:
            case "backbone":
                return names[place]
            case "context":
                return f"conv_head.{place.removeprefix('pooled.0.')}"
            case _:
                return linear("classifier.weight") if place == "weight" else "classifier.bias"

    return layout_of("timm", config, given["classifier.weight"].shape[0], name)


def _place(name: str, given: Given) -> tuple[list[tuple[int, str]], int]:
    """Sorts timm's names as its networks define them."""
    home = ".".join(name.split(".")[:3])
    expands = f"{home}.conv_pwl.weight" in given or f"{home}.conv_pw.weight" not in given
    order = _IN_USE if expands else _IN_USE_OF_FIRST
    return by_number(".".join(str(order.index(part)) if part in order else part for part in name.split(".")))
