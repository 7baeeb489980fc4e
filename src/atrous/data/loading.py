"""Samples become batches: in an order and with a randomness that no number of workers changes."""

import os
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from atrous.data.augmentation import AugmentationConfig, augment
from atrous.data.prefetching import made_ahead
from atrous.data.samples import Sample, SegmentationDataset, require_known_labels
from atrous.data.share import WHOLE, Share
from atrous.errors import AtrousError, ImageError, MaskError
from atrous.progress import Progress, Silent, track

TRIES = 10
"""Samples that are tried for one place in a batch: that many in a row are unusable only if most are."""


class Batch(NamedTuple):
    """What the network is trained on; the pictures stay bytes until the network normalises them."""

    image: Tensor
    """uint8 [B, 3, H, W], RGB, channels last in memory."""
    mask: Tensor
    """uint8 or uint16 [B, H, W]."""


class Fault(NamedTuple):
    """A sample that could not be used."""

    sample: int
    """Its index in the data set."""
    error: AtrousError


class Visit(NamedTuple):
    """One sample in one epoch; with the seed it decides all that chance does to the sample."""

    epoch: int
    sample: int


def training_batches(
    dataset: SegmentationDataset,
    augmentation: AugmentationConfig,
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    workers: int = 0,
    share: Share = WHOLE,
    skipped: list[Fault] | None = None,
) -> Generator[Batch, None, None]:
    """Yield augmented batches without end.

    Every epoch visits each sample once, in an order of its own; epochs follow each other without a gap, so that no
    sample is dropped and every batch is full. The n-th batch depends on (dataset, augmentation, batch_size, seed, n)
    alone: not on `workers`, and not on where a run was resumed. So does what takes the place of an unusable sample.

    Args:
        dataset: The samples.
        augmentation: What happens to them.
        batch_size: Samples per batch.
        seed: Decides order and augmentation.
        first_batch: How many batches to pass over (those of an interrupted run).
        workers: Processes that read and augment; 0 does it in a thread of this one.
        share: What falls to this process of every batch, where several train together.
        skipped: Where samples that cannot be used are noted, before the batch in which others take their places;
            without it they are errors.

    Raises:
        ImageError, MaskError: While iterating, if a file is unreadable or a mask holds a label of no class, and none
            may take its place; or if none of those tried can be used either.
    """
    loader = DataLoader(
        _AugmentedDataset(dataset, augmentation, seed, tries=1 if skipped is None else TRIES),
        batch_sampler=_batches_of_visits(len(dataset), batch_size, seed, first_batch, share),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_calm_worker,
        generator=torch.Generator(),  # without one, a number is drawn from torch's chance, which is the training's own
    )
    with _opencv_without_threads():
        batches = iter(loader)
    made = batches if workers else made_ahead(batches)  # workers are ahead by themselves
    try:
        for batch, faults in made:
            if batch is None:
                raise faults[-1].error
            if skipped is not None:
                skipped += faults
            yield batch
    finally:
        if isinstance(made, Generator):
            made.close()
        del batches, made  # ends the workers now, and not when an error's traceback lets go of them


def default_workers(device: torch.device, sharing: int = 1) -> int:
    """Loader processes that keep a device busy without taking its cores: several beside a GPU, one beside a CPU.

    None beside two cores, where a thread reads ahead: a third process makes the threads of the network wait for each
    other at every layer, which costs far more than the few milliseconds of reading a picture. Where several processes
    train, the cores are shared by so many of them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = max(1, cores // sharing)
    return int(cores > 2) if device.type == "cpu" else min(8, cores)


def check_samples(
    dataset: SegmentationDataset, progress: Progress | None = None, share: Share = WHOLE, bearable: int = 0
) -> None:
    """Read every sample once, so that a fault stops a training before it starts and not in the middle of the night.

    Args:
        dataset: The samples.
        progress: Where to show how far it is.
        share: Which of them fall to this process, where several check together.
        bearable: How many may be unusable: a training that goes on skips them, as it did before.

    Raises:
        ImageError, MaskError: At the first file more than that which is unreadable, of another size than its partner,
            or whose mask holds a label of no class.
    """
    own = share.of(len(dataset))
    indices = track(own, progress or Silent(), f"Checking {dataset.split}", len(own))
    for index in indices:
        try:
            require_known_labels(dataset, index, dataset[index])
        except (ImageError, MaskError):
            if bearable == 0:
                raise
            bearable -= 1


def _batches_of_visits(count: int, batch_size: int, seed: int, first_batch: int, share: Share) -> Iterator[list[Visit]]:
    position = first_batch * batch_size
    epoch, offset = divmod(position, count)
    visits: list[Visit] = []
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(count)
        for index in order[offset:]:
            visits.append(Visit(epoch, int(index)))
            if len(visits) == batch_size:
                yield [visits[place] for place in share.of(batch_size)]
                visits = []
        epoch, offset = epoch + 1, 0


class _AugmentedDataset(Dataset["tuple[Sample | None, list[Fault]]"]):
    """Hands errors over as values: raised in a worker, they would reach the user wrapped in two tracebacks."""

    def __init__(self, dataset: SegmentationDataset, augmentation: AugmentationConfig, seed: int, tries: int) -> None:
        self.dataset, self.augmentation, self.seed, self.tries = dataset, augmentation, seed, tries

    def __getitem__(self, visit: Visit) -> tuple[Sample | None, list[Fault]]:
        faults: list[Fault] = []
        for attempt in range(self.tries):
            index, random = self._drawn(visit, attempt)
            try:
                sample = self.dataset[index]
                require_known_labels(self.dataset, index, sample)
            except AtrousError as error:
                faults.append(Fault(index, error))
                continue
            return augment(sample, self.augmentation, self.dataset.labels, random), faults
        return None, faults

    def _drawn(self, visit: Visit, attempt: int) -> tuple[int, np.random.Generator]:
        """The sample of a visit with its chance; at further attempts, another one by chance of its own."""
        if attempt == 0:
            return visit.sample, np.random.default_rng((self.seed, visit.epoch, visit.sample))
        random = np.random.default_rng((self.seed, visit.epoch, visit.sample, attempt))
        return int(random.integers(len(self.dataset))), random


def _collate(drawn: Sequence[tuple[Sample | None, list[Fault]]]) -> tuple[Batch | None, list[Fault]]:
    """All faults, with a batch unless a place in it stayed empty; the last fault then is one of that place."""
    images: list[NDArray[np.uint8]] = []
    masks = []
    faults: list[Fault] = []
    for sample, some in drawn:
        faults += some
        if sample is None:
            return None, faults
        images.append(sample.image)
        masks.append(sample.mask)
    # A stack of [H, W, 3] pictures, seen as [B, 3, H, W], is already channels last: nothing is moved.
    image, mask = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(masks))
    return Batch(image, mask), faults


@contextmanager
def _opencv_without_threads() -> Iterator[None]:
    """Workers must be forked without OpenCV's threads: these are not copied, and each would wait for them forever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _calm_worker(_: int) -> None:
    # Both signals reach the whole process group: the training answers them. A second SIGTERM comes from its exit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    torch.set_num_threads(1)
