"""The encoder that DeepLabv3 and DeepLabv3+ share: a backbone, and the context of its deepest features."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from atrous.config import Config
from atrous.networks.context import ASPP, PUBLISHED_CELL, CellBranch, DensePredictionCell, require_a_cell
from atrous.networks.decoders import AuxiliaryHead, BoundaryRefinement
from atrous.networks.family import (
    Count,
    FamilyConfig,
    Fraction,
    backbone_levels,
    scaled_rates,
    true_of,
)

STATED_FOR = 16
"""The output stride for which rates are stated, as in both papers."""


class AuxiliaryHeadConfig(Config):
    """A second classifier, on a level on the way, that only training listens to."""

    weight: Annotated[float, Field(gt=0)] = 0.4
    """Of its loss, where that of the network itself has 1; 0.4 as in PSPNet, section 3.3."""
    levels_before_deepest: Count = 1
    """Which level of the backbone it classifies; 1 is the last but one, of stride 16 in a classification network."""


class EncoderConfig(FamilyConfig):
    """The choices of the encoder."""

    rates: Annotated[tuple[Count, ...], Field(max_length=32)] = (6, 12, 18)
    """Of the 3x3 branches, stated for output stride 16; doubled at 8 (DeepLabv3, section 3.3), halved at 32."""
    context_channels: Count = 256
    separable: bool = False
    """Whether the 3x3 convolutions of context and decoder are atrous separable ones."""
    separable_norm: bool = True
    """Whether a separable convolution is normalized and rectified between its two steps."""
    projection_kernel: Literal[1, 3] = 1
    """Of the convolution that joins the branches of the ASPP: 1, or 3 as in mmsegmentation."""
    head_convolution: bool = False
    """Whether a 3x3 convolution follows the ASPP, as in torchvision and SMP."""
    cell: Annotated[tuple[CellBranch, ...], Field(max_length=64)] | None = None
    """A dense prediction cell in place of the ASPP, as a table of its branches; `rates` is then not used."""
    cell_projections: bool = False
    """Whether a 1x1 convolution follows each separable convolution of the cell, as in tonandr's port."""
    classifier_kernel: Literal[1, 3] = 1
    """Of the last convolution, to the classes; 3 in tonandr's port."""
    dropout: Fraction = 0.1
    """Share of the context's values that is dropped in training."""
    auxiliary: AuxiliaryHeadConfig | None = None
    boundary_refinement: bool = False
    """Whether a residual block refines the logits (Peng et al. 2017, arXiv:1703.02719)."""

    @model_validator(mode="after")
    def _context_can_be_built(self) -> Self:
        if self.cell is None:
            if self.cell_projections:
                raise ValueError("`cell_projections` belong to a dense prediction cell: give `cell`, or leave them out")
            scaled_rates(self.rates, STATED_FOR, self.output_stride)
            return self
        require_a_cell(self.cell)
        cell_rates(self.cell, self.output_stride)
        of_aspp = ("rates", "projection_kernel", "head_convolution")
        unused = [name for name in of_aspp if getattr(self, name) != _default(name)]
        if unused:
            raise ValueError(f"`cell` takes the place of the ASPP, so that {unused[0]} says nothing: leave one out")
        return self

    @model_validator(mode="after")
    def _auxiliary_level_exists(self) -> Self:
        if self.auxiliary is not None:
            before = len(backbone_levels(self.backbone, self.output_stride).strides) - 1
            chosen = self.auxiliary.levels_before_deepest
            if chosen > before:
                raise ValueError(
                    f"`auxiliary.levels_before_deepest` is {chosen}, but the backbone has 1 to {before} before it"
                )
        return self


def _default(name: str) -> object:
    return EncoderConfig.model_fields[name].default


def cell_rates(cell: tuple[CellBranch, ...], output_stride: int) -> list[tuple[int, int]]:
    """Return the rates of a cell's branches at the output stride; those of poolings say nothing.

    Raises:
        ValueError: If one of them would be no whole number.
    """
    rates = []
    for branch in cell:
        has_rate = branch.op == "conv" and branch.kernel > 1
        vertical, horizontal = scaled_rates(branch.rate, STATED_FOR, output_stride) if has_rate else (1, 1)
        rates.append((vertical, horizontal))
    return rates


def build_context(config: EncoderConfig) -> ASPP | DensePredictionCell:
    """Return the context that `config` chooses."""
    deepest = backbone_levels(config.backbone, config.output_stride).channels[-1]
    if config.cell is None:
        return ASPP(
            deepest,
            scaled_rates(config.rates, STATED_FOR, config.output_stride),
            config.context_channels,
            separable=config.separable,
            norm_between=config.separable_norm,
            projection_kernel=config.projection_kernel,
            head_convolution=config.head_convolution,
            dropout=config.dropout,
        )
    return DensePredictionCell(
        deepest,
        config.cell,
        cell_rates(config.cell, config.output_stride),
        config.context_channels,
        separable=config.separable,
        norm_between=config.separable_norm,
        project_branches=config.cell_projections,
        dropout=config.dropout,
        resize=config.resize,
    )


def build_auxiliary(config: EncoderConfig, num_classes: int) -> AuxiliaryHead | None:
    """Return the auxiliary head, if there is to be one."""
    if config.auxiliary is None:
        return None
    channels = backbone_levels(config.backbone, config.output_stride).channels
    level = len(channels) - 1 - config.auxiliary.levels_before_deepest
    return AuxiliaryHead(channels[level], num_classes, level, config.auxiliary.weight)


def build_classifier(config: EncoderConfig, channels: int, num_classes: int) -> nn.Conv2d:
    """Return the convolution from so many channels to the classes."""
    kernel = config.classifier_kernel
    return nn.Conv2d(channels, num_classes, kernel, padding=kernel // 2)


def build_refinement(config: EncoderConfig, num_classes: int) -> BoundaryRefinement | None:
    """Return the boundary refinement, if there is to be one."""
    return BoundaryRefinement(num_classes) if config.boundary_refinement else None


def encoder_deviations(config: EncoderConfig) -> list[str]:
    """Say how the encoder differs from that of the papers."""
    return true_of(
        [
            (
                config.cell is None and config.rates != (6, 12, 18),
                f"rates {list(config.rates)} at output stride 16, where the papers have [6, 12, 18]",
            ),
            (
                config.cell is not None and config.cell != PUBLISHED_CELL,
                "another dense prediction cell than the published one",
            ),
            (
                any(branch.op == "pyramid_pooling" for branch in config.cell or ()),
                "pyramid pooling over a grid of cells, where the authors' code has windows of that share at stride 1",
            ),
            (
                config.cell_projections,
                "a 1x1 convolution behind each branch of the cell, in the paper none",
            ),
            (config.classifier_kernel != 1, "a 3x3 convolution to the classes, in the papers 1x1"),
            (config.output_stride == 4, "output stride 4, where the papers have 8 and 16"),
            (config.context_channels != 256, f"{config.context_channels} context channels, where the papers have 256"),
            (config.projection_kernel != 1, "a 3x3 convolution that joins the branches, in the papers 1x1"),
            (config.head_convolution, "a 3x3 convolution behind the ASPP, which the papers do not have"),
            (
                config.separable and not config.separable_norm,
                "separable convolutions without normalization and activation between their two steps",
            ),
            (config.auxiliary is not None, "an auxiliary loss, which the papers do not have"),
            (config.boundary_refinement, "a boundary refinement block (arXiv:1703.02719) behind the classifier"),
        ]
    )
