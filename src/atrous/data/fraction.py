"""A share of a data set, drawn by chance and said aloud: for first tries, and to see what more data would bring."""

import numpy as np

from atrous.data.chosen import ChosenSamples
from atrous.data.samples import SegmentationDataset


class DrawnSamples(ChosenSamples):
    """Some samples of a split, in its order; of one seed, those of a larger share include those of a smaller one."""

    def __init__(self, dataset: SegmentationDataset, fraction: float, seed: int) -> None:
        """Draw the samples; nothing is read.

        Args:
            dataset: The split.
            fraction: The share of its samples, 0..1; at least one is drawn.
            seed: Decides which.
        """
        count = max(1, round(fraction * len(dataset)))
        drawn = np.random.default_rng(seed).permutation(len(dataset))[:count]
        super().__init__(dataset, np.sort(drawn).tolist())
