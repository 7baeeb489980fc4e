import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from atrous.config import parse
from atrous.networks.context import PUBLISHED_CELL, CellBranch, DensePredictionCell, require_a_cell
from tests.networks.randomness import randomize

TABLE_OF_DOCUMENT_3 = """[
    {"kernel": 3, "rate": [1, 6], "op": "conv", "input": -1},
    {"kernel": 3, "rate": [18, 15], "op": "conv", "input": 0},
    {"kernel": 3, "rate": [6, 3], "op": "conv", "input": 1},
    {"kernel": 3, "rate": [1, 1], "op": "conv", "input": 0},
    {"kernel": 3, "rate": [6, 21], "op": "conv", "input": 0}
]"""


def test_the_published_cell_is_the_table_of_the_authors() -> None:
    assert parse(tuple[CellBranch, ...], json.loads(TABLE_OF_DOCUMENT_3), "document 3") == PUBLISHED_CELL


def cell_of(*branches: CellBranch) -> DensePredictionCell:
    cell = DensePredictionCell(3, branches, [branch.rate for branch in branches], out_channels=4).eval()
    randomize(cell)
    return cell


@torch.no_grad()
def test_each_branch_continues_the_input_that_it_names() -> None:
    cell = cell_of(*PUBLISHED_CELL)
    x = torch.randn(2, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    first, second, third, fourth, fifth = cell.branches
    a = first(x)
    b = second(a)
    everything = torch.cat([a, b, third(b), fourth(a), fifth(a)], dim=1)
    torch.testing.assert_close(cell(x), cell.projection(everything))


@torch.no_grad()
@pytest.mark.parametrize("size", [(9, 13), (2, 3), (1, 1)])
def test_a_pyramid_pooling_has_the_means_of_its_grid_at_the_size_of_its_input(size: tuple[int, int]) -> None:
    cell = cell_of(CellBranch(op="pyramid_pooling", target_size=(2, 3)))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    (branch,) = cell.branches
    pooled = branch.get_submodule("projection")(F.adaptive_avg_pool2d(x, (2, 3)))
    expected = F.interpolate(pooled, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(branch(x), expected)


def test_a_1x1_branch_is_never_separable() -> None:
    (branch,) = cell_of(CellBranch(kernel=1)).branches
    assert [module.kernel_size for module in branch.modules() if isinstance(module, nn.Conv2d)] == [(1, 1)]


def test_a_branch_cannot_continue_itself_or_a_later_one() -> None:
    with pytest.raises(ValueError, match="branch 1 of the cell has input 1, which comes no earlier than itself"):
        require_a_cell([CellBranch(), CellBranch(input=1)])
