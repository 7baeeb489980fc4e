"""A share of a data set, drawn by chance and said aloud: for first tries, and to see what more data would bring."""

import hashlib

import numpy as np

from atrous.data.samples import Sample, SegmentationDataset


class DrawnSamples(SegmentationDataset):
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
        self.dataset, self.indices = dataset, np.sort(drawn)
        self.split, self.labels = dataset.split, dataset.labels
        self.title = f"{dataset.title} ({count:,} of the {len(dataset):,} pictures of {self.split})"

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[int(self.indices[index])]

    def source_of(self, index: int) -> str:
        """As of the split."""
        return self.dataset.source_of(int(self.indices[index]))

    def fingerprint(self) -> str:
        """A hash of the split's own and of what was drawn."""
        digest = hashlib.sha256(self.dataset.fingerprint().encode())
        digest.update(self.indices.astype("<i8").tobytes())
        return digest.hexdigest()[:16]
