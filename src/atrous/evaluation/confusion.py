"""One confusion matrix over a whole split: every pixel is counted, none is dropped in silence."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.labels import LabelSpace, Mask

BLOCK = 8
"""Words of 64 bits that are compared at once: masks are mostly areas, where both labels stay the same."""
LANES = 2
"""Tables that take turns, so that a count need not wait for the one before it."""
AT_ONCE = 2**30
"""Pixels per call, so that a table's 32 bits suffice."""


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
        kind = np.promote_types(truth.dtype, prediction.dtype)
        flat = [_aligned(mask.astype(kind, copy=False)) for mask in (truth, prediction)]
        parts = [[mask[start : start + AT_ONCE] for mask in flat] for start in range(0, truth.size, AT_ONCE)]
        return sum(int(_count(*part, *map(_words, part), self.labels.ignore_index, self.matrix)) for part in parts)


def _aligned(mask: Mask) -> Mask:
    """A mask's pixels as one row, which begins where a word of 64 bits may begin."""
    flat = np.ascontiguousarray(mask).ravel()
    return flat.copy() if flat.ctypes.data % 8 else flat


def _words(pixels: Mask) -> NDArray[np.uint64]:
    """The same memory as words of 64 bits, without the pixels that fill none."""
    return pixels[: pixels.nbytes // 8 * 8 // pixels.itemsize].view(np.uint64)


@njit(cache=True, nogil=True)
def _count(truth, prediction, true_words, predicted_words, ignore_index, matrix):  # type: ignore[no-untyped-def]  # numba
    """Add to the matrix, and return how many labels are strays."""
    num_classes = matrix.shape[0]
    tables = np.zeros((LANES, (num_classes + 1) * num_classes), np.uint32)  # the last row: no class
    per_word = 8 // truth.itemsize
    repeat = np.uint64(0x0101010101010101 if truth.itemsize == 1 else 0x0001000100010001)
    outside = ignored = word = 0
    while (word + truth.itemsize) * per_word <= truth.size:
        i = word * per_word
        label, predicted = truth[i], prediction[i]
        true_run, predicted_run = repeat * np.uint64(label), repeat * np.uint64(predicted)
        if true_words[word] == true_run and predicted_words[word] == predicted_run:
            words = _run(true_words, predicted_words, word, true_run, predicted_run)
            word += words
            if label < num_classes:
                matrix[label, predicted] += words * per_word
            else:
                outside += words * per_word
                ignored += words * per_word * (label == ignore_index)
        else:
            ignored += _count_pixels(truth[i : i + 8], prediction[i : i + 8], 8, ignore_index, num_classes, tables)
            word += truth.itemsize
    i = word * per_word
    ignored += _count_pixels(truth[i:], prediction[i:], truth.size - i, ignore_index, num_classes, tables)
    for lane in range(LANES):
        for row in range(num_classes):
            for column in range(num_classes):
                matrix[row, column] += tables[lane, row * num_classes + column]
        for column in range(num_classes):
            outside += tables[lane, num_classes * num_classes + column]
    return outside - ignored


@njit(cache=True, nogil=True, inline="always")
def _run(true_words, predicted_words, start, true_run, predicted_run):  # type: ignore[no-untyped-def]  # numba
    """How many words from `start` on show these two labels alone."""
    stop = start + 1
    while stop + BLOCK <= true_words.size:
        differing = np.uint64(0)
        for word in range(stop, stop + BLOCK):
            differing |= (true_words[word] ^ true_run) | (predicted_words[word] ^ predicted_run)
        if differing:
            break
        stop += BLOCK
    while stop < true_words.size and true_words[stop] == true_run and predicted_words[stop] == predicted_run:
        stop += 1
    return stop - start


@njit(cache=True, nogil=True, inline="always")
def _count_pixels(truth, prediction, count, ignore_index, num_classes, tables):  # type: ignore[no-untyped-def]  # numba
    """Count pixels one by one; unsigned numbers, as numba asks of signed ones whether they count from the end."""
    ignored = 0
    for i in range(np.uint64(count)):
        row = min(np.uint64(truth[i]), np.uint64(num_classes))
        ignored += truth[i] == ignore_index
        tables[i % np.uint64(LANES), row * np.uint64(num_classes) + np.uint64(prediction[i])] += np.uint32(1)
    return ignored
