"""Pictures of any size by a file that takes one: smaller ones are padded, larger ones seen in windows that overlap."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig
from atrous.inference.prediction import LabelledPrediction, Prediction, WindowedPrediction
from atrous.inference.sliding_window import WindowLayout, segment_in_windows
from atrous.inference.window_memory import SHARE_OF_SIDE
from atrous.labels import Mask

if TYPE_CHECKING:
    from atrous.inference.exported import ExportedPredictor

GREY = 127


def predict_any_size(predictor: "ExportedPredictor", image: NDArray[np.uint8], size: tuple[int, int]) -> Prediction:
    """Predict a picture whose size is another than the (height, width) that a file takes.

    What is smaller is padded to the right and below with the colour that the network sees as nothing, the mean of its
    pixels, as the papers do. What is larger is seen in overlapping windows, whose masks are all that is known of it.
    """
    if image.shape[0] > size[0] or image.shape[1] > size[1]:
        down, across = (_layout(side) for side in size)
        mask = segment_in_windows(predictor, image, down, across)
        way_out = f"for probabilities give the checkpoint, or export it with --size {image.shape[0]}x{image.shape[1]}"
        return WindowedPrediction(image, mask, predictor.labels, way_out)
    whole = predictor(padded(image, size, predictor.card.pixels.get("mean")))
    if isinstance(whole, LabelledPrediction):
        height, width = image.shape[:2]
        return LabelledPrediction(image, whole.mask[:height, :width], predictor.labels)
    return CornerPrediction(whole.refined_by(None), image, predictor.crf)


class CornerPrediction(Prediction):
    """What is known of a picture by the prediction of a larger one, in whose upper left corner it lies."""

    def __init__(self, whole: Prediction, image: NDArray[np.uint8], crf: DenseCRFConfig | None) -> None:
        """Take the larger one, without a CRF, and uint8 [H, W, 3]."""
        nothing = np.zeros((whole.labels.num_classes, 1, 1), np.float32)
        super().__init__(image, nothing, whole.labels, crf=crf, abstain=whole.abstain)
        self._whole = whole

    @cached_property
    def mask(self) -> Mask:
        """uint8 (uint16 above 255 classes) [H, W]: the most probable class of each pixel."""
        if self.crf:
            mask: Mask = super().mask
            return mask
        return self._whole.mask[: self.image.shape[0], : self.image.shape[1]]

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 [K, H, W]: the K values of a pixel sum to 1."""
        height, width = self.image.shape[:2]
        probabilities = self._whole.probabilities_in(slice(0, height), slice(0, width))
        if not self.crf:
            return probabilities
        from atrous.crf import refine

        return refine(probabilities, self.image, self.crf)

    def probabilities_in(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """float32 [K, h, w]: a part of `probabilities`."""
        return self.probabilities[:, rows, columns]

    def confidence(self, step: int = 1) -> NDArray[np.float32]:
        """The largest probability of each pixel in every so many rows and columns."""
        largest: NDArray[np.float32] = self.probabilities[:, ::step, ::step].max(axis=0)
        return largest

    def refined_by(self, crf: DenseCRFConfig | None) -> "CornerPrediction":
        """The same prediction, refined by another dense CRF or by none."""
        return CornerPrediction(self._whole, self.image, crf)


def _layout(side: int) -> WindowLayout:
    return WindowLayout(side, side // SHARE_OF_SIDE)


def padded(image: NDArray[np.uint8], size: tuple[int, int], mean: Sequence[float] | None) -> NDArray[np.uint8]:
    """uint8 [*size, 3]: a picture that is no larger, with its mean colour in 0..1, or grey, to the right and below."""
    larger = np.empty((*size, 3), np.uint8)
    larger[:] = [GREY] * 3 if mean is None else [round(255 * value) for value in mean]
    larger[: image.shape[0], : image.shape[1]] = image
    return larger
