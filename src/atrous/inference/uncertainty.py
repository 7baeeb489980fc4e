"""How unsure a network is of a picture as a whole, so that people look at the hardest ones first."""

import numpy as np
from numpy.typing import NDArray


def uncertainty(probabilities: NDArray[np.float32]) -> float:
    """One minus the mean margin: 0 where every pixel is certain, 1 where two classes are equal everywhere.

    The margin of a pixel is what its largest probability is ahead of the second (margin sampling: Scheffer, Decomain
    and Wrobel 2001, Active hidden Markov models for information extraction).

    Args:
        probabilities: float32 [K, H, W]; the K values of a pixel sum to 1.
    """
    if len(probabilities) == 1:
        return 0.0
    second, first = np.partition(probabilities, -2, axis=0)[-2:]
    return float(1 - (first - second).mean(dtype=np.float64))
