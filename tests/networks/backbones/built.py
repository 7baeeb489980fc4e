"""Backbones with random weights, the same ones at every output stride."""

import copy
import functools

import torch
from torch import Tensor, nn

from atrous.networks.backbones import Backbone, BackboneConfig, build_backbone
from tests.networks.randomness import randomize


def built(config: BackboneConfig, output_stride: int) -> Backbone:
    """The backbone of `config` in evaluation mode; its weights are its own, so that it may be trained."""
    backbone = copy.deepcopy(_without_weights(config, output_stride))
    backbone.load_state_dict({name: tensor.clone() for name, tensor in _weights(config).items()}, assign=True)
    return backbone.eval()


@functools.cache
def _without_weights(config: BackboneConfig, output_stride: int) -> Backbone:
    with torch.device("meta"):
        return build_backbone(config, output_stride)


@functools.cache
def _weights(config: BackboneConfig) -> dict[str, Tensor]:
    backbone = copy.deepcopy(_without_weights(config, 8)).to_empty(device="cpu")
    randomize(backbone)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.num_batches_tracked is not None
            module.num_batches_tracked.zero_()
    return dict(backbone.state_dict())


def label(config: BackboneConfig) -> str:
    """What tells a config from others of its kind."""
    choices = config.model_dump(exclude={"kind"}, exclude_defaults=True)
    return "-".join([config.kind, *(f"{value}".replace(" ", "") for value in choices.values())])
