"""The compiled loop that adds up the probabilities of several views."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def add_probabilities(logits, top, bottom, down, left, right, across, start, total):  # type: ignore[no-untyped-def]  # numba
    """Add to total [rows, W, K] the softmax of logits [h, w, K] at the pixels of the rows from `start` on."""
    one = np.float32(1)
    values = np.empty(logits.shape[2], np.float32)
    for row in range(total.shape[0]):
        y = start + row
        v = down[y]
        for x in range(total.shape[1]):
            u = across[x]
            upper_near, upper_far = logits[top[y], left[x]], logits[top[y], right[x]]
            lower_near, lower_far = logits[bottom[y], left[x]], logits[bottom[y], right[x]]
            largest = np.float32(-np.inf)
            for k in range(values.size):
                above = (one - u) * upper_near[k] + u * upper_far[k]
                below = (one - u) * lower_near[k] + u * lower_far[k]
                values[k] = (one - v) * above + v * below
                largest = max(largest, values[k])
            whole = np.float32(0)
            for k in range(values.size):
                values[k] = np.exp(values[k] - largest)
                whole += values[k]
            for k in range(values.size):
                total[row, x, k] += values[k] / whole
