"""Context: what surrounds each place of the deepest features."""

from atrous.networks.context.aspp import ASPP, ASPPClassifiers
from atrous.networks.context.dense_prediction_cell import (
    PUBLISHED_CELL,
    CellBranch,
    DensePredictionCell,
    require_a_cell,
)
from atrous.networks.context.large_field_of_view import LargeFieldOfView
from atrous.networks.context.lite_aspp import LiteASPP

__all__ = [
    "ASPP",
    "PUBLISHED_CELL",
    "ASPPClassifiers",
    "CellBranch",
    "DensePredictionCell",
    "LargeFieldOfView",
    "LiteASPP",
    "require_a_cell",
]
