import os
import signal
from collections.abc import Iterator
from itertools import islice
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from atrous.data.augmentation import AugmentationConfig
from atrous.data.folder import FolderConfig, folder
from atrous.data.loading import Batch, check_samples, default_workers, training_batches
from atrous.data.pairs import ImageMaskPair
from atrous.data.samples import PairedFiles, Sample, SegmentationDataset
from atrous.errors import AtrousError, DatasetError, ImageError, MaskError
from atrous.images import write_image, write_mask
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import LABELS, InMemory, noise, one_sentence, painted, random_mask, write_pairs

LIVELY = AugmentationConfig(crop=(8, 10), brightness=0.3, blur=0.5)
STILL = AugmentationConfig(crop=(6, 6), scale=(1, 1), flip=False)


def tiny(count: int) -> InMemory:
    return InMemory([Sample(noise((12, 14), i), random_mask((12, 14), i), str(i)) for i in range(count)])


def numbered(count: int) -> InMemory:
    """Pictures that show their own number."""
    mask = np.zeros((6, 6), np.uint8)
    return InMemory([Sample(np.full((6, 6, 3), index, np.uint8), mask, str(index)) for index in range(count)])


def first_batches(
    dataset: SegmentationDataset, count: int, *, first_batch: int = 0, workers: int = 0, seed: int = 0
) -> list[Batch]:
    batches = training_batches(dataset, LIVELY, batch_size=3, seed=seed, first_batch=first_batch, workers=workers)
    return list(islice(batches, count))


def visited(count: int, batch_size: int, batches: int, seed: int = 0, first_batch: int = 0) -> list[list[int]]:
    loader = training_batches(numbered(count), STILL, batch_size=batch_size, seed=seed, first_batch=first_batch)
    return [batch.image[:, 0, 0, 0].tolist() for batch in islice(loader, batches)]


def same(ones: list[Batch], others: list[Batch]) -> bool:
    assert len(ones) == len(others)
    pairs = zip(ones, others, strict=True)
    return all(torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask) for a, b in pairs)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_number_of_workers_changes_a_batch(workers: int) -> None:
    assert same(first_batches(tiny(5), 6), first_batches(tiny(5), 6, workers=workers))


@pytest.mark.parametrize("first_batch", [1, 4, 5, 7])
def test_a_resumed_run_sees_the_batches_that_it_would_have_seen(first_batch: int) -> None:
    whole = first_batches(tiny(5), first_batch + 3)
    assert same(whole[first_batch:], first_batches(tiny(5), 3, first_batch=first_batch))


def test_a_run_is_resumed_far_from_its_start_at_once() -> None:
    assert len(visited(7, 4, 2, first_batch=10**9)) == 2


@pytest.mark.parametrize(("count", "batch_size"), [(7, 3), (6, 3), (5, 1), (3, 8), (1, 2)])
def test_every_epoch_visits_each_sample_once_and_every_batch_is_full(count: int, batch_size: int) -> None:
    batches = visited(count, batch_size, batches=3 * count)
    assert all(len(batch) == batch_size for batch in batches)
    order = [index for batch in batches for index in batch]
    for epoch in range(3 * batch_size):
        assert sorted(order[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [visited(20, 20, 2, seed=seed) for seed in range(3)]
    assert len({tuple(epoch) for order in orders for epoch in order}) == 6


def test_a_sample_is_seen_differently_in_each_epoch_and_with_each_seed() -> None:
    views = [batch.image for seed in range(2) for batch in first_batches(tiny(1), 2, seed=seed)]
    pictures = {picture.numpy().tobytes() for view in views for picture in view}
    assert len(pictures) == 12


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_bytes_with_channels_last(workers: int) -> None:
    [batch] = first_batches(tiny(3), 1, workers=workers)
    assert batch.image.dtype == batch.mask.dtype == torch.uint8
    assert batch.image.shape == (3, 3, 8, 10)
    assert batch.mask.shape == (3, 8, 10)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_holds_masks_of_8_and_of_16_bits() -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(300)])
    masks: list[Mask] = [np.full((2, 2), 7, np.uint8), np.full((2, 2), 299, np.uint16)]
    dataset = InMemory([Sample(noise((2, 2), 0), mask, "a") for mask in masks], labels)
    batch = next(training_batches(dataset, STILL, batch_size=2, seed=0))
    assert set(np.unique(batch.mask.numpy())) == {7, 299, 65535}


def test_workers_start_where_opencv_has_threads_already() -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        cv2.GaussianBlur(noise((600, 600), 0), (0, 0), 3)
        assert len(first_batches(tiny(3), 1, workers=1)) == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(threads)


def terminate_and_go_on(worker: BaseProcess, batches: Iterator[Batch]) -> None:
    """End a worker as Python does when it exits; torch may raise at any point after that."""
    worker.terminate()
    worker.join(5)
    list(islice(batches, 9))


def test_workers_leave_signals_to_the_training_and_end_with_it() -> None:
    batches = training_batches(tiny(3), LIVELY, batch_size=3, seed=0, workers=1)
    next(batches)
    [worker] = active_children()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid or 0, number)
    for _ in range(6):
        next(batches)
    assert worker.is_alive()
    with pytest.raises(RuntimeError, match="worker"):
        terminate_and_go_on(worker, batches)
    assert not worker.is_alive()


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_takes_nothing_from_torchs_chance(workers: int) -> None:
    before = torch.get_rng_state()
    first_batches(tiny(3), 2, workers=workers)
    assert torch.equal(before, torch.get_rng_state())


def stray(folder_of_files: Path) -> PairedFiles:
    """Two good pairs and one whose mask has value 7 on 3 pixels."""
    write_pairs(folder_of_files, "train", 2)
    mask = np.zeros((8, 12), np.uint8)
    mask[0, :3] = 7
    write_image(folder_of_files / "images/train/stray.png", noise((8, 12), 0))
    write_mask(folder_of_files / "masks/train/stray.png", mask, LABELS)
    return paired(folder_of_files)


def paired(root: Path) -> PairedFiles:
    images = sorted((root / "images/train").iterdir())
    pairs = [ImageMaskPair(image, root / "masks/train" / f"{image.stem}.png") for image in images]
    return PairedFiles("tiny", "train", LABELS, pairs)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_stray_label_names_file_value_and_pixels_from_any_process(tmp_path: Path, workers: int) -> None:
    with pytest.raises(MaskError) as caught:
        first_batches(stray(tmp_path), 1, workers=workers)
    assert not active_children()
    text = one_sentence(caught.value)
    assert f"{tmp_path}/masks/train/stray.png has value 7 on 3 pixels" in text
    assert "0..2 (ground to dog) and 255 (ignore)" in text


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_cut_off_is_one_sentence_from_any_process(tmp_path: Path, workers: int) -> None:
    write_pairs(tmp_path, "train", 2)
    (tmp_path / "images/train/01.png").unlink()
    picture = tmp_path / "images/train/01.jpg"
    write_image(picture, noise((8, 12), 0))
    picture.write_bytes(picture.read_bytes()[:-200])
    with pytest.raises(ImageError) as caught:
        first_batches(paired(tmp_path), 1, workers=workers)
    assert str(picture) in one_sentence(caught.value)


def test_the_check_finds_a_stray_label_and_passes_good_files(tmp_path: Path) -> None:
    check_samples(tiny(3))
    with pytest.raises(MaskError, match=r"stray\.png has value 7 on 3 pixels"):
        check_samples(stray(tmp_path))


def test_the_check_finds_a_mask_of_another_size(tmp_path: Path) -> None:
    write_pairs(tmp_path, "train", 2)
    write_mask(tmp_path / "masks/train/01.png", random_mask((8, 13), 0), LABELS)
    with pytest.raises(MaskError) as caught:
        check_samples(paired(tmp_path))
    assert "13x8" in one_sentence(caught.value)


def test_a_file_that_vanished_is_an_error_of_ours(tmp_path: Path) -> None:
    write_pairs(tmp_path, "train", 3)
    dataset = paired(tmp_path)
    (tmp_path / "masks/train/02.png").unlink()
    with pytest.raises(AtrousError) as caught:
        first_batches(dataset, 1)
    assert "02.png" in one_sentence(caught.value)


def test_an_empty_split_is_refused_before_any_batch(tmp_path: Path) -> None:
    for place in ("images/train", "masks/train"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "dataset.yaml").write_text("{name: tiny, classes: [{name: a}]}")
    with pytest.raises(DatasetError, match="empty"):
        folder(FolderConfig(root=tmp_path), "train")


def test_the_sample_itself_is_not_changed_by_loading() -> None:
    sample = painted(random_mask((8, 8), 0), "a")
    before = sample.image.copy()
    next(training_batches(InMemory([sample]), LIVELY, batch_size=4, seed=0))
    assert np.array_equal(sample.image, before)


def test_a_cpu_keeps_its_cores_for_the_network() -> None:
    assert default_workers(torch.device("cpu")) in (0, 1)
    assert 1 <= default_workers(torch.device("cuda")) <= 8
