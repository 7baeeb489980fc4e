"""The dense prediction cell: a searched graph of atrous convolutions and poolings."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from atrous.config import Config
from atrous.networks.convolutions import RatePair, atrous_conv
from atrous.networks.layers import ConvNormActivation, ResizeMode, resize_bilinear

Count = Annotated[int, Field(ge=1)]
FEATURES = -1
"""As the `input` of a branch: the deepest features themselves."""


class CellBranch(Config):
    """One row of a cell's table, with the keys of the authors' JSON."""

    op: Literal["conv", "pyramid_pooling"] = "conv"
    """An atrous convolution, or means over a grid of cells that a 1x1 convolution projects."""
    input: Annotated[int, Field(ge=FEATURES)] = FEATURES
    """The number of the earlier branch that it continues, from 0; -1 for the deepest features."""
    kernel: Literal[1, 3, 5] = 3
    """Height and width of a convolution."""
    rate: tuple[Count, Count] = (1, 1)
    """Atrous rate of a convolution, vertical and horizontal, stated for output stride 16."""
    target_size: tuple[Count, Count] = (1, 1)
    """Rows and columns of the grid of a pyramid pooling, which is resized back to the size of its input."""

    @model_validator(mode="after")
    def _only_its_own_keys(self) -> Self:
        foreign = {"conv": {"target_size"}, "pyramid_pooling": {"kernel", "rate"}}[self.op] & self.model_fields_set
        changed = [key for key in sorted(foreign) if getattr(self, key) != type(self).model_fields[key].default]
        if changed:
            own = {"conv": "kernel and rate", "pyramid_pooling": "target_size"}[self.op]
            raise ValueError(f"a branch with op {self.op} has no {' and no '.join(changed)}; it has {own}")
        return self


PUBLISHED_CELL = (
    CellBranch(rate=(1, 6), input=FEATURES),
    CellBranch(rate=(18, 15), input=0),
    CellBranch(rate=(6, 3), input=1),
    CellBranch(rate=(1, 1), input=0),
    CellBranch(rate=(6, 21), input=0),
)
"""The best cell of Chen et al. 2018, arXiv:1809.04184, figure 4 (research/deeplab, branch5_top1_cityscapes)."""


def require_a_cell(cell: Sequence[CellBranch]) -> None:
    """Refuse a table that is no graph of earlier and later branches.

    Raises:
        ValueError: If it is empty, or a branch continues itself or a later one.
    """
    if not cell:
        raise ValueError("the cell has no branch: give at least one, or leave `cell` out for the ASPP")
    for number, branch in enumerate(cell):
        if branch.input >= number:
            earlier = f"-1 for the features{', or a branch from 0 to ' + str(number - 1) if number else ''}"
            raise ValueError(
                f"branch {number} of the cell has input {branch.input}, which comes no earlier than itself; "
                f"its input can be {earlier}"
            )


class DensePredictionCell(nn.Module):
    """Branches that each continue the features or an earlier branch; all are concatenated and projected.

    Source: Chen et al. 2018, arXiv:1809.04184, section 3.2; 256 channels and dropout before the projection as in the
    authors' code (research/deeplab/core/dense_prediction_cell.py).

    Args:
        in_channels: Channels of the deepest features.
        branches: The table, in order.
        rates: Of each branch, vertical and horizontal, in pixels of these features; poolings ignore theirs.
        out_channels: Channels of each branch and of the result.
        separable: Whether convolutions larger than 1x1 are atrous separable ones, as in the paper.
        norm_between: Whether a separable one is normalized and rectified between its two steps.
        project_branches: Whether a 1x1 convolution follows each separable one, as in tonandr's port.
        dropout: Share of the concatenation's values that is dropped in training.
        resize: Where pixels lie on each other when the means of a grid are enlarged.
    """

    def __init__(
        self,
        in_channels: int,
        branches: Sequence[CellBranch],
        rates: Sequence[RatePair],
        out_channels: int = 256,
        *,
        separable: bool = True,
        norm_between: bool = True,
        project_branches: bool = False,
        dropout: float = 0.1,
        resize: ResizeMode = "half_pixel",
    ) -> None:
        super().__init__()
        require_a_cell(branches)
        self.out_channels = out_channels
        self.inputs = tuple(branch.input for branch in branches)
        self.branches = nn.ModuleList()
        for branch, rate in zip(branches, rates, strict=True):
            channels = in_channels if branch.input == FEATURES else out_channels
            if branch.op == "pyramid_pooling":
                self.branches.append(PyramidPooling(channels, out_channels, branch.target_size, resize))
                continue
            convolution = atrous_conv(
                channels,
                out_channels,
                kernel_size=branch.kernel,
                rate=rate,
                separable=separable,
                norm_between=norm_between,
            )
            if project_branches and separable and branch.kernel > 1:
                convolution.add_module("projection", ConvNormActivation(out_channels, out_channels))
            self.branches.append(convolution)
        self.dropout = nn.Dropout(dropout)
        self.projection = ConvNormActivation(len(branches) * out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for the deepest features [B, in_channels, H, W]."""
        results: list[Tensor] = []
        for source, branch in zip(self.inputs, self.branches, strict=True):
            results.append(branch(x if source == FEATURES else results[source]))
        context: Tensor = self.projection(self.dropout(torch.cat(results, dim=1)))
        return context


class PyramidPooling(nn.Module):
    """The means over a grid of cells, projected, and resized back.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        grid: Rows and columns of cells.
        resize: Where pixels lie on each other when the means are enlarged.
    """

    def __init__(
        self, in_channels: int, out_channels: int, grid: tuple[int, int], resize: ResizeMode = "half_pixel"
    ) -> None:
        super().__init__()
        self.grid = grid
        self.resize = resize
        self.projection = ConvNormActivation(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, out_channels, H, W] for [B, in_channels, H, W]."""
        projected: Tensor = self.projection(F.adaptive_avg_pool2d(x, self.grid))
        return resize_bilinear(projected, x.shape[-2:], self.resize)
