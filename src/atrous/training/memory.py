"""The memory of a training: kept for the next step, and measured."""

import ctypes
import sys

import torch

NEVER = -1
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # mallopt's numbers for them, of <malloc.h>


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, where the C library can; return whether it does.

    glibc hands every large tensor back to the system when it is freed, and each step asks for all of them again. The
    system then clears them page by page: a quarter of the processor time of a step of MobileNetV2 (8 x 360 x 480).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, NEVER))


def peak_gigabytes() -> float:
    """The most memory that this process has held so far, in GiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20


def memory_row(device: torch.device) -> dict[str, float]:
    """The peaks as columns of the log: that of the process, and on a GPU that of its tensors."""
    row = {"memory_gigabytes": peak_gigabytes()}
    if device.type == "cuda":
        row["gpu_memory_gigabytes"] = torch.cuda.max_memory_allocated(device) / 2**30
    return row


def describe_memory(device: torch.device) -> str:
    """The peaks in words."""
    row = memory_row(device)
    gpu = f", {row['gpu_memory_gigabytes']:.2f} GiB of the GPU" if "gpu_memory_gigabytes" in row else ""
    return f"Memory at most: {row['memory_gigabytes']:.2f} GiB{gpu}"
