"""Any convolutional network of timm that gives its features: ConvNeXt, EfficientNet and hundreds more."""

import difflib
from types import ModuleType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import field_validator
from torch import Tensor, nn

from atrous.config import Config
from atrous.errors import ConfigError
from atrous.networks.backbones.backbone import Backbone
from atrous.networks.backbones.bands import Bands


class TimmConfig(Config):
    """A network of timm by its name; needs `pip install "atrous[timm]"`."""

    kind: Literal["timm"] = "timm"
    name: str
    """Such as convnext_tiny or efficientnet_b0.ra_in1k, as `timm.list_models()` gives them."""
    pretrained: bool = False
    """Whether to fetch its weights when it is built; a network that is read from a checkpoint never does."""
    in_channels: Bands = 3
    """Bands of the picture; timm adapts weights by the rule of `adapt_input_channels`."""

    @field_validator("name")
    @classmethod
    def _timm_has_it(cls, name: str) -> str:
        timm = import_timm()
        if not timm.is_model(name):
            close = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
            near = f"did you mean {' or '.join(f'`{other}`' for other in close)}? " if close else ""
            raise ValueError(f"timm has no network `{name}`; {near}timm.list_models() gives all")
        return name


def import_timm() -> ModuleType:
    """Return the module timm.

    Raises:
        ValueError: If it is not installed, with the line that mends it.
    """
    try:
        import timm
    except ImportError:
        raise ValueError('a backbone of timm needs timm: pip install "atrous[timm]"') from None
    module: ModuleType = timm
    return module


def require_timm_output_stride(config: TimmConfig, output_stride: int) -> None:
    """Try, without memory for weights, whether timm's network gives features of that output stride at any size.

    Raises:
        ValueError: If it does not.
    """
    with torch.device("meta"):
        backbone = TimmBackbone(config, output_stride)
        try:
            levels = backbone(torch.empty(1, config.in_channels, 96, 64))
        except (AssertionError, RuntimeError) as error:
            raise ValueError(
                f"timm's `{config.name}` is not for any size ({_in_one_line(error)}): take another backbone"
            ) from None
    for level, channels, stride in zip(levels, backbone.channels, backbone.strides, strict=True):
        if level.shape[1:] != (channels, 96 // stride, 64 // stride):
            raise ValueError(f"timm's `{config.name}` gives features of an unexpected shape: take another backbone")


class TimmBackbone(Backbone):
    """A network of timm; the levels are its features at stride 4 and coarser.

    The image is padded with zeros, at the right and below, to whole pixels of the coarsest features, so that networks
    that cut it into patches take any size too; the levels are cropped to the size that a backbone promises.

    Args:
        config: Its choices.
        output_stride: Pixels of the image per pixel of the deepest features: 32, or what timm's network knows.

    Raises:
        ValueError: If this network cannot have that output stride.
        ConfigError: If its weights are wanted and cannot be fetched.
    """

    def __init__(self, config: TimmConfig, output_stride: int) -> None:
        super().__init__()
        self.has_weights = config.pretrained and torch.get_default_device().type != "meta"
        self.network = _create(config, output_stride, pretrained=self.has_weights)
        info: Any = self.network.feature_info
        reductions: list[int] = info.reduction()
        if reductions[-1] != output_stride:
            raise ValueError(
                f"timm's `{config.name}` ends at stride {reductions[-1]} and has no output stride {output_stride}: "
                "take another backbone"
            )
        # Strides never shrink, so the levels are a tail of timm's.
        self.skipped = sum(reduction < 4 for reduction in reductions)
        self.channels = tuple(info.channels())[self.skipped :]
        self.strides = tuple(reductions)[self.skipped :]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels of features, fine to coarse."""
        height, width = image.shape[-2:]
        padded = F.pad(image, (0, -width % self.coarsest, 0, -height % self.coarsest))
        levels = self.network(padded)[self.skipped :]
        return [
            level[..., : -(-height // stride), : -(-width // stride)]
            for level, stride in zip(levels, self.strides, strict=True)
        ]

    @property
    def coarsest(self) -> int:
        """Pixels to whose multiple an image is padded."""
        return max(32, self.strides[-1])


def _create(config: TimmConfig, output_stride: int, *, pretrained: bool) -> nn.Module:
    if not pretrained:
        return _without_weights(config, output_stride)
    with torch.device("meta"):
        _without_weights(config, output_stride)  # refuses what is impossible before anything is fetched
    try:
        return _timm_network(config, output_stride, pretrained=True)
    except Exception as error:  # each of timm's sources of weights raises its own
        raise ConfigError(
            f"timm cannot fetch the weights of `{config.name}` ({_in_one_line(error)}): check the connection, name one "
            "of `timm.list_pretrained()`, or set `pretrained` to false."
        ) from None


def _without_weights(config: TimmConfig, output_stride: int) -> nn.Module:
    try:
        return _timm_network(config, output_stride, pretrained=False)
    except (TypeError, AssertionError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"timm's `{config.name}` gives no features at output stride {output_stride} ({_in_one_line(error)}): take "
            "output stride 32, or another backbone"
        ) from None


def _timm_network(config: TimmConfig, output_stride: int, *, pretrained: bool) -> nn.Module:
    # Many networks know no other than 32, and do not know the option either.
    options = {} if output_stride == 32 else {"output_stride": output_stride}
    network: nn.Module = import_timm().create_model(
        config.name, features_only=True, pretrained=pretrained, in_chans=config.in_channels, **options
    )
    return network


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
