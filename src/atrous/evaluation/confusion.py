"""One confusion matrix over a whole split: every pixel is counted, none is dropped in silence."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.labels import LabelSpace, Mask


class ConfusionMatrix:
    """Pixels by true class and predicted class, summed over pictures of any size."""

    def __init__(self, labels: LabelSpace) -> None:
        """Begin with no pixels."""
        self.labels = labels
        self.matrix: NDArray[np.int64] = np.zeros((labels.num_classes, labels.num_classes), np.int64)
        """int64 [K, K]: true class (row), predicted class (column)."""

    def add(self, truth: Mask, prediction: Mask) -> int:
        """Count the pixels of one picture.

        Args:
            truth: uint8 or uint16 [H, W]; the ignore value is left out.
            prediction: uint8 or uint16 [H, W], classes only.

        Returns:
            How many true pixels have a label that is neither a class nor the ignore value; they are in no cell of the
            matrix, and whoever calls must say so.

        Raises:
            ValueError: If the sizes differ, a predicted label is no class, or one of the two is no mask.
        """
        if not np.dtype(truth.dtype).kind == np.dtype(prediction.dtype).kind == "u":
            raise ValueError(f"masks hold unsigned integers; these are {truth.dtype} and {prediction.dtype}")
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}; they must have one size")
        if int(prediction.max(initial=0)) >= self.labels.num_classes:
            raise ValueError(
                f"the prediction holds label {prediction.max()}; there are {self.labels.num_classes} classes"
            )
        flat = np.ascontiguousarray(truth).ravel(), np.ascontiguousarray(prediction).ravel()
        return int(_count(*flat, self.labels.ignore_index, self.matrix))


@njit(cache=True, nogil=True)
def _count(truth, prediction, ignore_index, matrix):  # type: ignore[no-untyped-def]  # numba
    strays = 0
    for i in range(truth.size):
        label = truth[i]
        if label < matrix.shape[0]:
            matrix[label, prediction[i]] += 1
        elif label != ignore_index:
            strays += 1
    return strays
