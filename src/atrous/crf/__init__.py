"""Dense conditional random fields, which move class boundaries onto the edges of the image.

Its choices are there at once; what computes is loaded, with numba, when it is first used.
"""

from typing import TYPE_CHECKING, Any

from atrous.crf.config import DenseCRFConfig

if TYPE_CHECKING:
    from atrous.crf.mean_field import refine, refine_batch

__all__ = ["DenseCRFConfig", "refine", "refine_batch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'atrous.crf' has no attribute {name!r}")
    from atrous.crf import mean_field

    return getattr(mean_field, name)
