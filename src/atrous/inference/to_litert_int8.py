"""A LiteRT file in 8-bit integers: weights per output channel, activations by what pictures of a data set make of them.

Source: Jacob et al. 2018, arXiv:1712.05877, for the arithmetic; ai-edge-quantizer computes it.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from numpy.typing import NDArray

from atrous.errors import ConfigError
from atrous.inference.exported_file import ExportCard
from atrous.inference.fixed_size import padded
from atrous.inference.native_messages import without_native_messages

SIGNATURE = "serving_default"
"""How converters call the one thing that a file computes."""


def quantized(content: bytes, images: Iterable[NDArray[np.uint8]], card: ExportCard) -> bytes:
    """Quantize a float32 LiteRT file: int8 weights and activations, float32 pictures and logits.

    The range of each activation is the widest that the pictures make of it.

    Args:
        content: The file, as `litert_of` makes it.
        images: Some uint8 RGB [H, W, 3] that are like those to come; of larger ones, their middle is looked at.
        card: It says which size the file takes, and the mean of the pixels.

    Raises:
        ConfigError: If the quantizer is not installed.
    """
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError:
        raise ConfigError("int8 needs the LiteRT converter: run `pip install 'atrous[litert]'`.") from None
    pictures = _Pictures(images, card)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), without_native_messages():
        warnings.simplefilter("ignore")
        work = quantizer.Quantizer(content, recipe.static_wi8_ai8())
        for end in ("INPUT", "OUTPUT"):
            work.update_quantization_recipe(regex=".*", operation_name=end, algorithm_key="no_quantize")
        return bytes(work.quantize(work.calibrate({SIGNATURE: pictures})).quantized_model)


class _Pictures:
    """Pictures, as the quantizer wants to be handed them, more than once."""

    def __init__(self, images: Iterable[NDArray[np.uint8]], card: ExportCard) -> None:
        assert card.size is not None
        size, mean = card.size, card.pixels.get("mean")
        self._images = [padded(_middle(image, size), size, mean) for image in images]

    def __iter__(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        for image in self._images:
            yield {"image": image.astype(np.float32)[None] / np.float32(255)}


def _middle(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    top, left = (max(0, (has - wanted) // 2) for has, wanted in zip(image.shape, size, strict=False))
    return image[top : top + size[0], left : left + size[1]]
