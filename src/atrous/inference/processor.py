"""What the processor of this computer is good at, asked without torch."""

from functools import cache
from pathlib import Path


def has_bfloat16() -> bool:
    """Whether it has instructions for bfloat16 (AVX512-BF16, AMX); elsewhere libraries emulate them, slowly."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_flags())


@cache
def _flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return frozenset()
    for line in text.splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
