"""The choices of a dense CRF."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from atrous.config import Config

Width = Annotated[float, Field(ge=0.001)]
Weight = Annotated[float, Field(ge=0)]


class DenseCRFConfig(Config):
    """Kernels and labels of Krähenbühl and Koltun 2011 (arXiv:1210.5644); the defaults are those of DeepLab v2.

    Two Gaussian kernels tie every pair of pixels, each the stronger the nearer they are: one by position alone, the
    other by position and colour. Both are normalised symmetrically, so a weight means the same in every picture.
    """

    iterations: Annotated[int, Field(ge=0)] = 10
    """Steps of mean-field inference; without any the probabilities stay as they are."""
    position_std_smooth: Width = 1.0
    """Standard deviation of the smoothness kernel, in pixels."""
    weight_smooth: Weight = 3.0
    position_std_appearance: Width = 67.0
    """Standard deviation of the appearance kernel by position, in pixels."""
    color_std: Width = 3.0
    """Standard deviation of the appearance kernel by colour, in 8-bit levels."""
    weight_appearance: Weight = 4.0
    compatibility: tuple[tuple[float, ...], ...] | None = None
    """K rows of K penalties: what it costs that one of two pixels has the row's label and the other the column's; a
    matrix that is not symmetric is replaced by its mean with its transpose. None is Potts: 1 for labels that differ."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        rows = self.compatibility or ()
        if any(len(row) != len(rows) for row in rows):
            raise ValueError(f"`compatibility` has {len(rows)} rows and needs as many numbers in each of them")
        return self
