"""Decoded samples that are kept, so that a small data set is read from its files once.

The kept samples lie in one piece of memory, or in one file, that all loading processes share: whichever reads a sample
first keeps it for the others.
"""

import mmap
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrous.data.samples import Sample, SegmentationDataset
from atrous.files import cannot_write, make_folder
from atrous.images import ReadableFile


class _Place(NamedTuple):
    """Where a sample lies: one row of the index."""

    end: int
    """Behind its last byte; 0 as long as it is not kept."""
    height: int
    width: int
    mask_bytes: int
    """Per pixel: 1 or 2."""
    name_bytes: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


class CachedDataset(SegmentationDataset):
    """A split whose samples are kept once they were read, as long as there is room for them.

    Processes that are forked share what is kept; one that is started otherwise reads the files itself. A sample is kept
    as it was first read: a file that changes meanwhile is not noticed.
    """

    def __init__(self, dataset: SegmentationDataset, gigabytes: float, folder: Path | None = None) -> None:
        """Take the split; nothing is read yet.

        Args:
            dataset: The split.
            gigabytes: The most that is kept; what is not needed is not taken from the machine.
            folder: Where the file lies, which vanishes with this object; without one it is memory.

        Raises:
            OutputError: If the folder cannot be written.
        """
        self.dataset = dataset
        self.title, self.split, self.labels = dataset.title, dataset.split, dataset.labels
        self._content = np.frombuffer(_shared(max(1, int(gigabytes * 2**30)), folder), np.uint8)
        self._index = np.frombuffer(_shared(max(1, len(dataset)) * 40), np.int64).reshape(-1, 5)
        self._filled = np.frombuffer(_shared(8), np.int64)
        self._turn = multiprocessing.Lock()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        place = _Place(*self._index[index].tolist())
        if place.end:
            return self._kept(place)
        sample = self.dataset[index]
        self._keep(index, sample)
        return sample

    def source_of(self, index: int) -> str:
        """As of the split."""
        return self.dataset.source_of(index)

    def picture_of(self, index: int) -> ReadableFile | None:
        """As of the split."""
        return self.dataset.picture_of(index)

    def fingerprint(self) -> str:
        """As of the split."""
        return self.dataset.fingerprint()

    @property
    def kept_bytes(self) -> int:
        """How much is kept."""
        return int(self._filled[0])

    def _kept(self, place: _Place) -> Sample:
        sizes = (3 * place.pixels, place.mask_bytes * place.pixels, place.name_bytes)
        start = place.end - sum(sizes)
        image, mask, name = np.split(self._content[start : place.end], np.cumsum(sizes)[:-1])
        image.flags.writeable = mask.flags.writeable = False  # they belong to all
        dtype = np.dtype(np.uint8 if place.mask_bytes == 1 else np.uint16)
        size = (place.height, place.width)
        return Sample(image.reshape(*size, 3), mask.view(dtype).reshape(size), bytes(name).decode())

    def _keep(self, index: int, sample: Sample) -> None:
        pieces = [_bytes_of(sample.image), _bytes_of(sample.mask), np.frombuffer(sample.name.encode(), np.uint8)]
        needed = sum(piece.size for piece in pieces)
        needed += -needed % 2  # masks of 16 bits begin at even places, as pictures then do
        with self._turn:
            start = int(self._filled[0])
            if start + needed > self._content.size or self._index[index, 0]:
                return
            self._filled[0] = start + needed
        place = start + needed - sum(piece.size for piece in pieces)
        for piece in pieces:
            self._content[place : place + piece.size] = piece
            place += piece.size
        self._index[index, 1:] = (*sample.mask.shape, sample.mask.dtype.itemsize, pieces[2].size)
        self._index[index, 0] = place  # the last word: from now on others read it

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self.dataset,)


def _itself(dataset: SegmentationDataset) -> SegmentationDataset:
    return dataset


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _shared(size: int, folder: Path | None = None) -> mmap.mmap:
    """Memory that forked processes share, or that of a file without a name."""
    if folder is None:
        return mmap.mmap(-1, size)
    make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(size)
            return mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise cannot_write(folder, error) from error
