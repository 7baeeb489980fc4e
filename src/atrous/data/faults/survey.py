"""One pass over all samples, and what is kept of them: a few numbers each, so that a million fit."""

import heapq
import tempfile
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.edges import Edges, agreement
from atrous.data.faults.mask_file import Fault
from atrous.data.faults.observation import THUMBNAIL, Observation, Stray, observe
from atrous.data.processes import of_all_samples
from atrous.data.samples import SegmentationDataset
from atrous.progress import Progress, track

MOST_SUSPECTS = 2000  # pairs whose edges are kept: those that agree least

Place = tuple[int, int]
"""(number of the split, index of the sample in it)"""


class Suspect(NamedTuple):
    """A sample whose mask may belong to another picture."""

    disagreement: float
    place: Place
    size: tuple[int, int]
    edges: Edges


class Survey:
    """What one pass found."""

    def __init__(self, datasets: Sequence[SegmentationDataset]) -> None:
        """Take the splits; nothing is read yet."""
        self.datasets = list(datasets)
        self.faults: list[tuple[Place, Fault]] = []
        self.strays: dict[Place, list[Stray]] = {}
        self.halves: list[tuple[Place, int]] = []
        """Masks of nothing but 0 and the ignore value, each with the pixels of the latter."""
        self.uniform: list[tuple[Place, int]] = []
        """Masks of one value, and the value."""
        self.places: list[array[int]] = [array("Q"), array("Q")]
        self.picture_hashes, self.mask_hashes = array("Q"), array("Q")
        self.pixels: list[Counter[int]] = [Counter() for _ in self.datasets]
        """Of each value, for each split."""
        self.pictures: list[Counter[int]] = [Counter() for _ in self.datasets]
        """That show a value, for each split."""
        self.pixels_beside: list[Counter[int]] = [Counter() for _ in self.datasets]
        """Of all pictures that show a value, together: the base of its frequency."""
        self.suspects: list[Suspect] = []
        self._thumbnails = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the survey

    def __len__(self) -> int:
        """How many samples have a picture that can be read."""
        return len(self.picture_hashes)

    def place(self, number: int) -> Place:
        """Where the picture of a number was."""
        return int(self.places[0][number]), int(self.places[1][number])

    def thumbnails(self) -> NDArray[np.uint8]:
        """uint8 [N, 96, 96] of all pictures that can be read; they lie on the disk."""
        if not len(self):
            return np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8)
        self._thumbnails.flush()
        return np.memmap(self._thumbnails, np.uint8, "r", shape=(len(self), THUMBNAIL, THUMBNAIL))

    def add(self, split: int, seen: Observation) -> None:
        """Keep what matters of one sample."""
        place = (split, seen.sample)
        self.faults += [(place, fault) for fault in seen.faults]
        if seen.thumbnail.size:
            self.places[0].append(split)
            self.places[1].append(seen.sample)
            self.picture_hashes.append(seen.picture_hash)
            self.mask_hashes.append(seen.mask_hash)
            self._thumbnails.write(seen.thumbnail.tobytes())
        if seen.edges:
            self._suspect(Suspect(1 - agreement(*seen.edges), place, seen.size, seen.edges))
        if not seen.faults:
            self._add_values(place, seen)

    def _suspect(self, suspect: Suspect) -> None:
        """Keep those that agree least; the heap gives up the one that agrees most."""
        if len(self.suspects) < MOST_SUSPECTS:
            heapq.heappush(self.suspects, suspect)
        elif suspect[:2] > self.suspects[0][:2]:
            heapq.heapreplace(self.suspects, suspect)

    def _add_values(self, place: Place, seen: Observation) -> None:
        split = place[0]
        total = int(seen.counts.sum())
        for value, count in zip(seen.values.tolist(), seen.counts.tolist(), strict=True):
            self.pixels[split][value] += count
            self.pictures[split][value] += 1
            self.pixels_beside[split][value] += total
        if seen.strays:
            self.strays[place] = seen.strays
        ignore = self.datasets[split].labels.ignore_index
        if seen.values.tolist() == [0, ignore]:
            self.halves.append((place, int(seen.counts[-1])))
        if len(seen.values) == 1:
            self.uniform.append((place, int(seen.values[0])))


def survey(datasets: Sequence[SegmentationDataset], progress: Progress, workers: int) -> Survey:
    """Look at every sample of every split once.

    Args:
        datasets: The splits.
        progress: Where the progress is shown.
        workers: Processes beside this one; 0 does all in this one.
    """
    found = Survey(datasets)
    total = sum(map(len, datasets))
    observations = of_all_samples(datasets, observe, workers)
    for split, seen in track(observations, progress, "Checking", total):
        found.add(split, seen)
    return found
