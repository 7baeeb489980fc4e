"""transformers: DeepLab on MobileNetV2, and the classifiers MobileNetV1, MobileNetV2 and ResNet.

Its MobileNets are Google's own, with TensorFlow's padding and epsilon (`tf_padding`, `layer_norm_eps`).
"""

from atrous.networks import (
    BackboneConfig,
    DeepLabV3Config,
    ImageClassifierConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    NetworkConfig,
    ResNetConfig,
)
from atrous.networks.backbones.mobilenet_v2 import width_of
from atrous.networks.layers import BatchNormConfig
from atrous.weights.known_pixels import TENSORFLOW_PIXELS
from atrous.weights.pytorch.parts import pair, resnet_depth_of
from atrous.weights.renaming import Given, Layout, Namer, Source, halves_exchanged, layout_of, linear, shifted

BLOCKS_PER_LEVEL = (3, 3, 7, 4)
"""Of MobileNetV2, in our levels; the library numbers its blocks through, but for the first, which is in its stem."""
EPSILON = 1e-3
HEAD_EPSILON = 1e-5
"""Of DeepLab's own layers; what the backbone's is larger is added to its variances, so that one holds for all."""
LIBRARY = "transformers"
_AS_GOOGLE = {"pixels": TENSORFLOW_PIXELS, "padding": "same", "batch_norm": BatchNormConfig(epsilon=EPSILON)}


def transformers_layout(given: Given) -> Layout | None:
    """Return the layout of a state dict of transformers, or none if it is not one."""
    if "segmentation_head.conv_aspp.convolution.weight" in given:
        return _deeplab(given)
    if "mobilenet_v2.conv_1x1.convolution.weight" in given:
        return _mobilenet_v2_classifier(given)
    if "mobilenet_v1.layer.25.convolution.weight" in given:
        return _mobilenet_v1_classifier(given)
    if "resnet.embedder.embedder.convolution.weight" in given:
        return _resnet_classifier(given)
    return None


def transformers_names(config: NetworkConfig) -> Namer | None:
    """Return the library's names for the tensors of a network, or none if it has no such network."""
    match config, config.backbone:
        case DeepLabV3Config(rates=()), MobileNetV2Config():
            return _deeplab_name
        case ImageClassifierConfig(pooled_channels=None), MobileNetV2Config():
            return _mobilenet_v2_classifier_name
        case ImageClassifierConfig(hidden_channels=None, pooled_channels=None), MobileNetV1Config():
            return _mobilenet_v1_classifier_name
        case ImageClassifierConfig(hidden_channels=None, pooled_channels=None), ResNetConfig():
            return _resnet_classifier_name
        case _:
            return None


def _deeplab(given: Given) -> Layout:
    config = DeepLabV3Config.model_validate(
        {
            **_AS_GOOGLE,
            "batch_norm": BatchNormConfig(epsilon=HEAD_EPSILON),
            "backbone": _mobilenet_v2(given),
            "rates": (),
            "context_channels": given["segmentation_head.conv_aspp.convolution.weight"].shape[0],
            "resize": "align_corners",
        }
    )
    unused = frozenset(name for name in given if name.startswith("mobilenet_v2.conv_1x1."))
    notes = (
        "output stride 16, taken here, is not in the tensors; the library's configs have 8 or 16",
        "mobilenet_v2.conv_1x1 is part of the library's network, whose answer does not depend on it",
    )
    classes = given["segmentation_head.classifier.convolution.weight"].shape[0]
    return layout_of(LIBRARY, config, classes, _deeplab_name, ignored=unused, notes=notes)


def _deeplab_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "backbone":
        theirs = f"mobilenet_v2.{_mobilenet_v2_name(place)}"
        return shifted(theirs, EPSILON - HEAD_EPSILON) if theirs.endswith("running_var") else theirs
    if part == "classifier":
        return f"segmentation_head.classifier.convolution.{place}"
    if place == "projection.convolution.weight":  # theirs begins with the mean of the image
        return halves_exchanged("segmentation_head.conv_projection.convolution.weight")
    home = {"pointwise": "conv_aspp", "image_pooling": "conv_pool", "projection": "conv_projection"}
    return f"segmentation_head.{home[place.split('.')[0]]}.{_pair(place)}"


def _mobilenet_v2_classifier(given: Given) -> Layout:
    hidden = given["mobilenet_v2.conv_1x1.convolution.weight"].shape[0]
    config = ImageClassifierConfig.model_validate(
        {**_AS_GOOGLE, "backbone": _mobilenet_v2(given), "hidden_channels": hidden}
    )
    return layout_of(LIBRARY, config, given["classifier.weight"].shape[0], _mobilenet_v2_classifier_name)


def _mobilenet_v2_classifier_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    match part:
        case "backbone":
            return f"mobilenet_v2.{_mobilenet_v2_name(place)}"
        case "context":
            return f"mobilenet_v2.conv_1x1.{_pair(place)}"
        case _:
            return linear("classifier.weight") if place == "weight" else "classifier.bias"


def _mobilenet_v2(given: Given) -> BackboneConfig:
    first, last = "conv_stem.first_conv", "layer.15.reduce_1x1"
    stem, deepest = (given[f"mobilenet_v2.{name}.convolution.weight"].shape[0] for name in (first, last))
    return MobileNetV2Config(width=width_of(stem, deepest))


def _mobilenet_v2_name(place: str) -> str:
    part, *rest = place.split(".")
    if part == "stem":
        return f"conv_stem.first_conv.{_pair(place)}"
    level, block, _, where, *_ = rest
    number = sum(BLOCKS_PER_LEVEL[: int(level)]) + int(block)
    step = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}[where]
    return f"layer.{number - 1}.{step}.{_pair(place)}" if number else f"conv_stem.{step}.{_pair(place)}"


def _mobilenet_v1_classifier(given: Given) -> Layout:
    width = given["mobilenet_v1.conv_stem.convolution.weight"].shape[0] / 32
    config = ImageClassifierConfig.model_validate({**_AS_GOOGLE, "backbone": MobileNetV1Config(width=width)})
    return layout_of(LIBRARY, config, given["classifier.weight"].shape[0], _mobilenet_v1_classifier_name)


def _mobilenet_v1_classifier_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "classifier":
        return linear("classifier.weight") if place == "weight" else "classifier.bias"
    if place.startswith("stem."):
        return f"mobilenet_v1.conv_stem.{_pair(place)}"
    _, level, number, step, *_ = place.split(".")
    before = sum((3, 2, 6, 2)[: int(level)]) + int(number)
    return f"mobilenet_v1.layer.{2 * before + (step == 'pointwise')}.{_pair(place)}"


def _resnet_classifier(given: Given) -> Layout | None:
    stages = [
        {name.split(".")[5] for name in given if name.startswith(f"resnet.encoder.stages.{stage}.layers.")}
        for stage in range(4)
    ]
    basic = "resnet.encoder.stages.0.layers.0.layer.2.convolution.weight" not in given
    depth = resnet_depth_of(tuple(len(blocks) for blocks in stages), basic=basic)
    if depth is None:
        return None
    config = ImageClassifierConfig(backbone=ResNetConfig.model_validate({"depth": depth}))
    return layout_of(LIBRARY, config, given["classifier.1.weight"].shape[0], _resnet_classifier_name)


def _resnet_classifier_name(ours: str) -> str | Source | None:
    part, _, place = ours.partition(".")
    if part == "classifier":
        return linear("classifier.1.weight") if place == "weight" else "classifier.1.bias"
    if place.startswith("stem."):
        return f"resnet.embedder.embedder.{_pair(place)}"
    _, stage, block, where, *inner = place.split(".")
    home = "shortcut" if where == "shortcut" else f"layer.{inner[0]}"
    return f"resnet.encoder.stages.{stage}.layers.{block}.{home}.{_pair(place)}"


def _pair(place: str) -> str:
    return pair(place, "convolution", "normalization")
