"""Windows as large as the memory allows, by what a small one was seen to need."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atrous.errors import ConfigError
from atrous.inference.sliding_window import GRID, WindowLayout
from atrous.progress import Progress

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

SMALLEST, LARGEST, TRIAL = 128, 2048, 384
"""Pixels of a window's side; above the largest, nothing is gained."""

FADE = 32
SHARE_OF_SIDE = 8
"""A margin is at most this part of a window's side: at an eighth, windows see less than twice the picture's pixels."""

UNKNOWN_COST = 4000
"""Bytes per pixel of a window, where the system does not say how much memory a process has."""

RESERVE = 0.85
"""The part of the memory that is planned with."""

GIGABYTE = 10**9


def fitting_layout(
    predictor: "AnyPredictor", width: int, bytes_per_pixel: int, memory: float | None, progress: Progress
) -> WindowLayout:
    """Choose the largest windows that keep this process, or the GPU, below some memory.

    A small window is predicted first, and what it needs is scaled up. The margin is as far as the network sees, as far
    as an eighth of a window goes.

    Args:
        predictor: Whatever segments the windows.
        width: Pixels of a row of the picture.
        bytes_per_pixel: Of the picture in memory.
        memory: In GB, all that this process may have; on a GPU, that the network may have there. By default, half of
            what is free.
        progress: Is told what was chosen.

    Raises:
        ConfigError: If that is too little for the smallest windows.
    """
    on_gpu = predictor.on_gpu
    cost = _cost_per_pixel(predictor, on_gpu=on_gpu)
    allowed = memory * GIGABYTE if memory else _free(on_gpu=on_gpu) / 2 + (0 if on_gpu else resident())
    used = 0 if on_gpu else resident()
    of_rows = 0 if on_gpu else bytes_per_pixel * width
    shared = 0 if on_gpu else 2 * FADE * width * predictor.labels.num_classes * 4

    def needed(side: int) -> float:
        # Three strips may be held: one is read, one waits, one is segmented; and two windows' answers.
        return used + shared + 3 * of_rows * side + cost * side**2

    sides = [side for side in range(SMALLEST, _largest(predictor) + 1, GRID) if needed(side) <= RESERVE * allowed]
    if not sides:
        least = needed(SMALLEST) / RESERVE / GIGABYTE
        raise ConfigError(
            f"{allowed / GIGABYTE:.2g} GB of memory are too little for a picture of {width} columns: "
            f"give at least --memory {least + 0.05:.1f}."
        )
    margin = min(_reach(predictor), sides[-1] // SHARE_OF_SIDE)
    progress.say(
        f"Windows of {sides[-1]}x{sides[-1]} pixels with {margin} of context on each side, "
        f"for {allowed / GIGABYTE:.3g} GB of memory."
    )
    return WindowLayout(sides[-1], margin, FADE)


def resident() -> int:
    """Bytes of memory that this process has; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error of any runtime says that the memory, of a GPU or of the system, is too small."""
    is_torchs = type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    return is_torchs or isinstance(error, MemoryError)


def give_memory_back() -> None:
    """Free what torch keeps of a GPU's memory for the next time."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()


def halved(layout: WindowLayout) -> WindowLayout | None:
    """Windows of half the side; None if these are too small."""
    side = layout.side // 2 // GRID * GRID
    return WindowLayout(side, min(layout.margin, side // SHARE_OF_SIDE), layout.fade) if side >= SMALLEST else None


def _free(*, on_gpu: bool) -> int:
    if on_gpu:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), 4 * GIGABYTE)


def _largest(predictor: "AnyPredictor") -> int:
    """The side of the largest windows: of a file that takes pictures of one size, such as fit into it."""
    card = getattr(predictor, "card", None)
    return LARGEST if card is None or card.size is None else int(min(LARGEST, *card.size) // GRID * GRID)


def _cost_per_pixel(predictor: "AnyPredictor", *, on_gpu: bool) -> float:
    """Bytes at the peak, per pixel of a window."""
    trial = min(TRIAL, _largest(predictor))
    _predict_noise(predictor, SMALLEST)  # compiles, and takes what is taken once
    if on_gpu:
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _predict_noise(predictor, trial)
        return float(torch.cuda.max_memory_allocated() - before) / trial**2 * 1.5  # its allocator rounds up
    if not (before := resident()):
        return UNKNOWN_COST
    with _watched() as peak:
        _predict_noise(predictor, trial)
    return max(peak[0] - before, trial**2 * 100) / trial**2


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Look a thousand times a second at how much memory there is; the largest is in the list at the end."""
    peak, over = [resident()], threading.Event()

    def look() -> None:
        while not over.is_set():
            peak[0] = max(peak[0], resident())
            time.sleep(0.001)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _predict_noise(predictor: "AnyPredictor", side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    prediction = predictor(noise)
    _ = prediction.mask
    prediction.probabilities_in(slice(0, FADE), slice(None))


def _reach(predictor: "AnyPredictor") -> int:
    """How far the network sees from a pixel; unknown, and so without end, of an exported file."""
    network = getattr(predictor, "network", None)
    if network is None:
        return LARGEST
    from atrous.networks.describe import reach_of

    return max(reach_of(network).field) // 2 + 1
