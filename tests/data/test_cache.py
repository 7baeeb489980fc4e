import pickle
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from atrous.data.augmentation import AugmentationConfig
from atrous.data.cache import CachedDataset
from atrous.data.loading import training_batches
from atrous.data.samples import Sample, SegmentationDataset
from atrous.errors import OutputError
from atrous.labels import LabelSpace
from tests.tiny_data import LABELS, noise, random_mask


class Counting(SegmentationDataset):
    """Counts how often its samples are read; sizes, mask types and names differ."""

    def __init__(self, count: int = 5) -> None:
        self.title, self.split, self.labels, self.count = "counting", "train", LABELS, count
        self.reads: list[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        self.reads.append(index)
        size = (7 + index, 5 + 2 * index)
        mask = random_mask(size, index)
        return Sample(noise(size, index), mask.astype(np.uint16) if index % 2 else mask, "ü" * index)

    def source_of(self, index: int) -> str:
        return f"mask {index}"

    def fingerprint(self) -> str:
        return "f"


def require_same(first: Sample, second: Sample) -> None:
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert first.mask.dtype == second.mask.dtype
    assert first.name == second.name


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_sample_is_read_once_and_stays_as_it_was(on_disk: bool, tmp_path: Path) -> None:
    dataset = Counting()
    cached = CachedDataset(dataset, 0.01, tmp_path / "cache" if on_disk else None)
    for _ in range(3):
        for index in (3, 0, 4, 1, 2):
            require_same(cached[index], Counting()[index])
    assert sorted(dataset.reads) == [0, 1, 2, 3, 4]
    assert len(cached) == 5
    assert cached.source_of(2) == "mask 2"
    assert cached.fingerprint() == "f"
    if on_disk:
        assert list((tmp_path / "cache").iterdir()) == []  # the file has no name


def test_no_more_is_kept_than_there_is_room_for() -> None:
    dataset = Counting()
    one = sum(array.nbytes for array in dataset[4][:2]) + 10
    cached = CachedDataset(dataset, one / 2**30)
    dataset.reads.clear()
    for index in (4, 4, 3, 3, 3):
        require_same(cached[index], Counting()[index])
    assert dataset.reads == [4, 3, 3, 3]
    assert cached.kept_bytes <= one


def test_what_is_kept_cannot_be_changed() -> None:
    cached = CachedDataset(Counting(), 0.01)
    cached[0]
    for array in cached[0][:2]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def read_all(cached: CachedDataset) -> int:
    for index in range(len(cached)):
        require_same(cached[index], Counting()[index])
    dataset = cached.dataset
    assert isinstance(dataset, Counting)
    return len(dataset.reads)


SHARED: list[CachedDataset] = []


def read_all_shared(_: int) -> int:
    return read_all(SHARED[0])


def test_forked_processes_share_what_is_kept() -> None:
    cached = CachedDataset(Counting(), 0.01)
    read_all(cached)
    dataset = cached.dataset
    assert isinstance(dataset, Counting)
    dataset.reads.clear()
    SHARED[:] = [cached]
    with get_context("fork").Pool(3) as pool:
        assert pool.map(read_all_shared, range(6)) == [0] * 6


def test_processes_that_fill_it_at_once_do_not_mix_samples() -> None:
    SHARED[:] = [CachedDataset(Counting(40), 0.01)]
    with get_context("fork").Pool(4) as pool:
        pool.map(read_all_shared, range(8), chunksize=1)
    read_all(SHARED[0])


def test_a_copy_for_a_process_that_is_not_forked_reads_the_files_itself() -> None:
    copy = pickle.loads(pickle.dumps(CachedDataset(Counting(), 0.01)))
    assert isinstance(copy, Counting)


def test_batches_are_the_same_with_and_without_it() -> None:
    config = AugmentationConfig(crop=(8, 8), brightness=0.3)
    plain = training_batches(Counting(), config, batch_size=2, seed=3)
    kept = training_batches(CachedDataset(Counting(), 0.01), config, batch_size=2, seed=3)
    for _ in range(8):
        first, second = next(plain), next(kept)
        assert first.image.equal(second.image)
        assert first.mask.equal(second.mask)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        CachedDataset(Counting(), 0.01, tmp_path / "file")


def test_a_label_space_of_its_own_is_kept() -> None:
    dataset = Counting()
    dataset.labels = LabelSpace.from_names(["a", "b"])
    assert CachedDataset(dataset, 0.01).labels == dataset.labels
