"""Dense conditional random fields, which move class boundaries onto the edges of the image."""

from atrous.crf.config import DenseCRFConfig
from atrous.crf.mean_field import refine, refine_batch

__all__ = ["DenseCRFConfig", "refine", "refine_batch"]
