"""Which device to compute on, and what that device is good at."""

import os
from functools import cache
from typing import Literal

import torch

from atrous.inference.processor import has_bfloat16

Precision = Literal["float32", "bfloat16"]

DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_device() -> torch.device:
    """The first GPU if there is one, else the CPU; of several processes on a machine, each has a GPU of its own."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    number = os.environ.get("LOCAL_RANK", "")  # as torchrun counts them
    return torch.device("cuda", int(number) % torch.cuda.device_count()) if number.isdecimal() else torch.device("cuda")


@cache
def gains_from_bfloat16(device: torch.device) -> bool:
    """Whether the device computes faster in bfloat16 than in float32.

    A CPU does if it has bfloat16 instructions (AVX512-BF16, AMX); elsewhere oneDNN emulates them, slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return has_bfloat16()


def describe_device(device: torch.device) -> str:
    """The device in words: `2 CPU threads`, or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads"
