"""The most probable class of each pixel, as a compiled loop."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def most_probable(probabilities, abstain, ignore):  # type: ignore[no-untyped-def]  # numba
    """int32 [H, W]: the class of the largest of [K, H, W]; the ignore value where that is less than `abstain`."""
    count, height, width = probabilities.shape
    labels = np.zeros((height, width), np.int32)
    largest = np.empty(width, np.float32)
    for y in range(height):
        largest[:] = probabilities[0, y]
        for k in range(1, count):
            for x in range(width):
                if probabilities[k, y, x] > largest[x]:
                    largest[x], labels[y, x] = probabilities[k, y, x], k
        for x in range(width):
            if largest[x] < abstain:
                labels[y, x] = ignore
    return labels
