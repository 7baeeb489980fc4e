"""Some samples of a split, in an order of one's own."""

import hashlib
from collections.abc import Sequence

import numpy as np

from atrous.data.samples import Sample, SegmentationDataset


class ChosenSamples(SegmentationDataset):
    """The samples of a split at some places, in the order in which the places are given."""

    def __init__(self, dataset: SegmentationDataset, indices: Sequence[int]) -> None:
        """Choose the samples; nothing is read.

        Args:
            dataset: The split.
            indices: The places.
        """
        self.dataset, self.indices = dataset, np.array(indices, np.int64)
        self.split, self.labels = dataset.split, dataset.labels
        self.title = f"{dataset.title} ({len(self.indices):,} of the {len(dataset):,} pictures of {self.split})"

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[int(self.indices[index])]

    def source_of(self, index: int) -> str:
        """As of the split."""
        return self.dataset.source_of(int(self.indices[index]))

    def fingerprint(self) -> str:
        """A hash of the split's own and of what was chosen."""
        digest = hashlib.sha256(self.dataset.fingerprint().encode())
        digest.update(self.indices.astype("<i8").tobytes())
        return digest.hexdigest()[:16]
